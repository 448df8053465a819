"""Programs that maintainers run: for costs, documents, checkov, cfn-guard and upgrades."""
