"""The set-up, and programs of maintainers: costs, diagrams, documents, checkov, cfn-guard, upgrades, pictures."""
