"""Programs of maintainers: for costs, diagrams, documents, checkov, cfn-guard, upgrades, comparisons of pictures."""
