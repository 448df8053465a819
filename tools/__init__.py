"""The set-up, and programs of maintainers: for costs, diagrams, documents, checkov, cfn-guard, upgrades, comparisons of pictures."""
