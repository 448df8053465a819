"""Programs that maintainers run: for costs, documents, checkov and upgrades."""
