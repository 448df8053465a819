"""The cron function: an uptime check."""
