"""What maintainers run: costs, diagrams, checkov, upgrades."""
