#!/bin/sh
# The server runs this script as root at its first start. It installs nginx and automatic updates, and writes a page
# about the server. Lightsail appends this text to its own script, which sh runs, so bash and #cloud-config do not work
# here. The output is in /var/log/cloud-init-output.log. The script can run again. The stack sets BLUEPRINT and BUNDLE.
set -eu

export DEBIAN_FRONTEND=noninteractive
# Updates of the first start may still hold the locks of apt. By default, apt only warns about a list that it could not
# download, and then there would be no nginx to install. With --error-on=any it fails.
tries=30
until apt-get update --error-on=any; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { echo "launch: apt-get update failed for five minutes" >&2; exit 1; }
    sleep 10
done
apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=600 curl nginx unattended-upgrades

# Security updates run every day. The server restarts if they need it, one hour after the daily snapshot (UTC).
cat > /etc/apt/apt.conf.d/52-launch << 'END'
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
Unattended-Upgrade::Automatic-Reboot "true";
Unattended-Upgrade::Automatic-Reboot-Time "04:00";
END

metadata=http://169.254.169.254/latest
token=$(curl --fail --silent --show-error --retry 10 --retry-all-errors --request PUT \
    --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$metadata/api/token")
fact() {
    curl --fail --silent --show-error --retry 10 --header "X-aws-ec2-metadata-token: $token" "$metadata/meta-data/$1"
}
region=$(fact placement/region)
zone=$(fact placement/availability-zone)
machine=$(fact instance-type)
name=$(uname -n)

# The page is written to another file and then moved, so visitors always get a whole page.
cat > /var/www/html/index.html.new << END
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>$name</title>
<style>
:root { --page: #f4f6f8; --card: #fff; --text: #1c2733; --soft: #5b6b7b; --line: #dfe5ea; --mark: #c45500; }
@media (prefers-color-scheme: dark) {
  :root { --page: #10161c; --card: #18212a; --text: #e8edf2; --soft: #9fb0c0; --line: #2a3642; --mark: #ffad5c; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--page);
  color: var(--text); font: 1rem/1.6 system-ui, sans-serif; }
main { width: 100%; max-width: 36rem; padding: clamp(1.25rem, 5vw, 2.5rem); background: var(--card);
  border: 1px solid var(--line); border-top: 4px solid var(--mark); border-radius: .75rem; }
h1 { margin: 0 0 .5rem; font-size: clamp(1.5rem, 6vw, 2rem); line-height: 1.2; }
p { margin: 0 0 1.5rem; color: var(--soft); }
dl { margin: 0; }
div { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; padding: .6rem 0;
  border-top: 1px solid var(--line); }
dt { color: var(--soft); }
dd { margin: 0; font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
</style>
<main>
<h1>A virtual server, ready</h1>
<p>Its launch script installed nginx and wrote this page at the first start.</p>
<dl>
<div><dt>Host</dt><dd>$name</dd></div>
<div><dt>Region</dt><dd>$region</dd></div>
<div><dt>Availability zone</dt><dd>$zone</dd></div>
<div><dt>Blueprint</dt><dd>$BLUEPRINT</dd></div>
<div><dt>Bundle</dt><dd>$BUNDLE</dd></div>
<div><dt>Machine underneath</dt><dd>$machine</dd></div>
</dl>
</main>
</html>
END
mv /var/www/html/index.html.new /var/www/html/index.html

systemctl enable --now nginx
curl --fail --silent --show-error --output /dev/null --retry 10 --retry-connrefused http://127.0.0.1/
echo "launch: the page is served"
