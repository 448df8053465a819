"""Commands for maintainers: costs, documents, checkov, upgrades."""
