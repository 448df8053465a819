"""The cron function checks whether web sites are up."""
