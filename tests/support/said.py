"""The amounts in what the documents say: whole sentences, or rows of tables, as they must stand there."""

from collections.abc import Callable, Iterator, Mapping

import pytest

from config import MAX_URLS
from stacks import api, api_gateway, batch_job, cron_watch, ecr, lightsail, lightsail_watch, thumbnail
from tests.support import said_of_containers
from tests.support.apps import templates
from tests.support.reckoning import (
    MILLION,
    PRODUCTION,
    SANDBOX,
    closely,
    costs,
    everything,
    hourly,
    idles,
    of,
    quantity,
    unit,
)
from tests.support.said_of_containers import NATS, instances
from tools.costs import idle, work
from tools.costs.prices import HOURS, PRICES, listed
from tools.templates import resources


def _readme() -> Iterator[str]:
    assert idles("thumbnail") == idles("batch") == idles("api")
    yield f"thumbnail, api and batch idle at ${idles('thumbnail'):.2f} a month each"
    assert idles("ecr") == pytest.approx(0.01, abs=0.005)
    yield f"cron, which never idles, comes to ${idles('cron'):.2f}."
    assert costs("thumbnail", "1,000") == pytest.approx(0.03, abs=0.002)
    yield f"a million requests to the API ${costs('api', '1,000,000 reads'):.2f}, half of it traces"
    daily = (idles("ecs_ec2") + idles("fargate")) / 365 * 12
    yield f"${idles('ecs_ec2'):.2f} a month for ecs_ec2 and ${idles('fargate'):.2f} for fargate"
    yield f"for fargate, ${daily:.0f} a day for both"
    yield f"lightsail is ${idles('lightsail'):.2f} a month"
    yield f"All eight idle at ${everything(SANDBOX):.2f} together, in production at ${everything(PRODUCTION):.2f}."
    assert len(templates(SANDBOX)) == 8


def _thumbnail() -> Iterator[str]:
    yield f"Idle: an alarm, **${idles('thumbnail'):.2f} a month**"
    yield f"in production three, ${idles('thumbnail', PRODUCTION):.2f}."
    for row, digits in (
        ("Lambda, compute", 4),
        ("Lambda, requests", 4),
        ("S3, put twice and list once", 4),
        ("S3, get and head", 4),
        ("DynamoDB, write", 4),
        ("X-Ray, at most", 4),
        ("CloudWatch Logs", 4),
    ):
        yield f"| {row} | ${costs('thumbnail', '1,000', row):.{digits}f} |"
    yield f"| {quantity('thumbnail', '1,000', 'Lambda, compute'):.0f} GB-seconds at"
    yield f"| **together** | **${costs('thumbnail', '1,000'):.2f}** | |"
    hour = costs("thumbnail", "an hour")
    yield f"The four metrics add ${hour:.4f} for every hour in which there are uploads"
    yield f"at most ${hour * HOURS:.2f} a month"
    covered = PRICES["lambda-arm64"].free / quantity("thumbnail", "1,000", "Lambda, compute") * 1000
    yield f"cover the compute of {round(covered, -4):,.0f} pictures"
    yield f"comes with {thumbnail.MEMORY_MB:,} MB"


def _cron() -> Iterator[str]:
    share = HOURS / 1000
    assert of("cron", "alarms") == pytest.approx(0.40)
    yield f"| CloudWatch, a metric | ${of('cron', 'metrics'):.2f} |"
    yield f"| CloudWatch, four alarms | ${of('cron', 'alarms'):.2f} |"
    for row, what in (
        ("Lambda, compute", "Lambda, compute"),
        ("Lambda, requests", "Lambda, requests"),
        ("EventBridge Scheduler", "Scheduler"),
        ("DynamoDB, write", "DynamoDB, write"),
        ("X-Ray, at most", "X-Ray, at most"),
        ("CloudWatch Logs", "CloudWatch Logs"),
    ):
        yield f"| {row} | ${share * costs('cron', '1,000', what):.4f} |"
    yield f"| {share * quantity('cron', '1,000', 'Lambda, compute'):.1f} GB-seconds at"
    yield f"| **together** | **${idles('cron'):.2f}** | |"
    yield f"Each further site adds a metric and an alarm, ${PRICES['metric'].usd + PRICES['alarm'].usd:.2f} a month"
    yield f"a site has two metrics more, and all comes to ${idles('cron', PRODUCTION):.2f}"
    assert len(cron_watch.METRICS) == 3


def _api() -> Iterator[str]:
    assert of("api", "alarms", profile=PRODUCTION) == pytest.approx(0.30)
    yield f"Idle: an alarm, **${idles('api'):.2f} a month**"
    dashboard = of("api", "dashboard", profile=PRODUCTION)
    yield f"as in production, ${idles('api', PRODUCTION):.2f}: three alarms, and a dashboard for ${dashboard:.2f},"
    reads = "1,000,000 reads"
    gb_seconds = quantity("api", reads, "Lambda, compute")
    yield f"20 ms of {api.MEMORY_MB} MB each are {gb_seconds:,.0f} GB-seconds at"
    yield f"GB-seconds at $0.0000133334 | ${costs('api', reads, 'Lambda'):.2f} |"
    for row, what in (
        ("| API Gateway | 1 million requests at $3.50 |", "API Gateway"),
        ("| a strongly consistent read each, $0.125 a million |", "DynamoDB"),
        ("5 GB at $0.029 |", "access log"),
        ("| logs | some 400 bytes each at $0.50 a GB |", "logs"),
        ("$5 a million |", "X-Ray"),
        ("| one a minute, 43,800 at $5 a million |", "access log, objects"),
    ):
        found = [part for part in unit("api", reads) if part.what.split(", at")[0] == what]
        yield f"{row} ${listed(found) + 1e-9:.2f} |"  # half a cent is rounded up
    yield f"| **together** | | **${costs('api', reads):.2f}** |"
    yield f"A million creates cost ${costs('api', '1,000,000 creates', 'DynamoDB'):.2f} for two write units each"
    metric = PRICES["metric"].usd
    yield f"around the clock costs ${5 * metric:.2f} a month, all ten ${50 * metric:.0f}."
    lines = costs("api", reads, "access log") - costs("api", reads, "access log, objects")
    yield f"the access log, ${lines + 1e-9:.2f} a million."
    keyless = 4 * api_gateway.KEYLESS_RATE * 3600 * HOURS
    per_request = (costs("api", reads) - costs("api", reads, "access log, objects")) / MILLION
    assert keyless * per_request == pytest.approx(20, rel=0.1)
    yield f"have a rate of {api_gateway.KEYLESS_RATE} a second each, $20 a month at most"
    largest = 2 * 400 * PRICES["dynamodb-write"].usd  # a note of 400 KB, in a transaction, which takes twice the units
    assert api_gateway.KEY_QUOTA * (largest + per_request) == pytest.approx(5, rel=0.1)
    yield "A key that gets out costs up to $5 a day."
    traceless = costs("api", reads) - costs("api", reads, "X-Ray", "access log, objects")
    twenty = 20 * traceless + costs("api", reads, "access log, objects")
    yield f"million requests cost ${twenty:.0f} here without traces"
    servers = of("ecs_ec2", "load balancer", "addresses of the load balancer") + instances(2)
    yield f"a load balancer with two small servers ${servers:.0f}."


def _ecr() -> Iterator[str]:
    image = idle.IMAGE_GB * PRICES["ecr-storage"].usd
    yield f"| ECR, one image of {idle.IMAGE_GB * 1000:.0f} MB | ${image:.3f} |"
    yield f"| ECR, ten such images that share nothing | ${ecr.KEPT_IMAGES * image:.2f} |"
    yield f"| the same image in the CDK's repository | ${image:.3f} |"
    yield (
        f"| Lambda, a copy | ${costs('ecr', 'a copy'):.4f} "
        f"| some {work.COPY_SECONDS} seconds of {ecr.MEMORY_MB} MB at $0.0000133334 a GB-second |"
    )


def _batch() -> Iterator[str]:
    job = "1,000,000 thumbnails on Spot"
    machines = ("instances", "disks", "addresses")
    compute = costs("thumbnail", "1,000", "Lambda") * 1000
    demand = costs("batch", "1,000,000 thumbnails on demand", *machines)
    spot = costs("batch", job, *machines)
    yield f"| compute for a million pictures | ${compute:.2f} | ${spot:.2f} on Spot, ${demand:.2f} on demand |"
    child = work.START_AND_END_HOURS * costs("batch", "a job hour on demand")
    yield f"${child:.4f} on demand, which is what Lambda takes to make 900 pictures"
    assert child / compute * MILLION == pytest.approx(900, abs=50)
    yield f"Idle: one alarm, **${idles('batch'):.2f} a month**"
    yield f"a NAT gateway with its address, ${idles('batch', PRODUCTION) - idles('batch'):.2f}, as well"
    hours = quantity("batch", job, "instances")
    yield f"| EC2, Spot | ${costs('batch', job, 'instances'):.2f} | {hours:.1f} hours of c6g.large at $0.027"
    disk = PRICES["gp3"].usd * 30 / HOURS
    yield f"| addresses and disks | ${costs('batch', job, 'disks', 'addresses'):.2f} | $0.005 and ${disk:.4f} an hour |"
    for row in ("S3, put thumbnails", "S3, get pictures", "S3, lists"):
        yield f"| {row} | ${costs('batch', job, row):.2f} |"
    yield f"| **together** | **${costs('batch', job):.2f}** | |"
    assert costs("thumbnail", "1,000") * 1000 == pytest.approx(30, rel=0.05)
    yield "The Lambda example takes about $30 for the same million"
    four = 4 / work.CHILDREN * costs("batch", job, "S3, lists")
    assert four == pytest.approx(0.04)
    machines_of_16 = 16 / batch_job.VCPUS
    yield f"16 vCPUs of Spot instances for a whole month are ${machines_of_16 * hourly('c6g.large-spot'):.0f}."
    yield f"starts as many on demand, ${machines_of_16 * hourly('c6g.large'):.0f}."


def _lightsail() -> Iterator[str]:
    server, gb = PRICES["lightsail-server-nano"].usd, PRICES["gp3"].usd
    yield f"| server, `nano_3_0` | ${of('lightsail', 'server'):.2f} |"
    yield f"| snapshots | ${of('lightsail', 'snapshots'):.2f} | $0.05 a GB; some {idle.SNAPSHOTS_GB} GB"
    yield f"| **together** | **${idles('lightsail'):.2f}** | |"
    yield from ("| static IP | $0.00 |", "| alarms, firewall, DNS | $0.00 |", "(not deployed) | $0.00 | Route 53")
    more = {plan: PRICES[f"lightsail-server-{plan}"].usd - server for plan in ("micro", "small")}
    disk = lightsail.DISK_GB * PRICES["lightsail-disk"].usd
    yield (
        f"`micro_3_0` ${more['micro']:.0f}, `small_3_0` ${more['small']:.0f}, the disk ${disk:.2f}, "
        f"the bucket ${PRICES['lightsail-bucket-small'].usd:.0f}, "
        f"the database ${PRICES['lightsail-database-micro'].usd:.0f}."
    )
    apart = (hourly("t3.nano"), 20 * gb, hourly("address"))
    yield "EC2 t3.nano ${:.2f}, EBS gp3 ${:.2f}, public IPv4 ${:.2f} | ${:.2f},".format(*apart, sum(apart))
    yield f"| disk, {lightsail.DISK_GB} GB | ${disk:.2f} | EBS gp3 | ${lightsail.DISK_GB * gb:.2f} |"
    database = (hourly("db.t4g.micro"), 40 * PRICES["rds-gp3"].usd)
    yield "RDS db.t4g.micro ${:.2f}, gp3 ${:.2f} | ${:.2f} |".format(*database, sum(database))
    yield f"Route 53, six zones | ${6 * PRICES['hosted-zone'].usd:.2f} |"
    sent = (lightsail_watch.TRANSFER_GB["nano"] - PRICES["traffic-out"].free) * PRICES["traffic-out"].usd
    yield f"from EC2 it would be ${sent:.0f}"


def _decisions() -> Iterator[str]:
    insights = [of(stem, "Container", profile=PRODUCTION) for stem in ("ecs_ec2", "fargate")]
    yield "They cost ${:.2f} a month for a service on EC2 and ${:.2f} on Fargate".format(*insights)
    yield f"An address costs ${hourly('address'):.2f} a month, a NAT gateway ${NATS:.2f} with its own"
    yield f"would cost ${closely():.2f} a month"
    yield f"without it ${sum(idles(stem) for stem in ('thumbnail', 'cron', 'api')):.2f}."
    methods = resources(templates(SANDBOX)["api"], "AWS::ApiGateway::Method").values()
    preflights = [method for method in methods if method["Properties"]["HttpMethod"] == "OPTIONS"]
    requests = len(preflights) * api_gateway.STAGE_RATE * 3600 * HOURS
    request = PRICES["api-request"].usd + work.RECORD_GB * PRICES["firehose"].usd
    assert requests * request == pytest.approx(1400, rel=0.05)
    yield "a stranger could run up $1,400 a month with OPTIONS alone"


def _config() -> Iterator[str]:
    yield f"each URL costs ${PRICES['metric'].usd + PRICES['alarm'].usd:.2f} a month for its metric and its alarm"
    assert MAX_URLS == 50
    yield f"All that is ${closely():.2f} a month"
    yield (
        f"${of('ecs_ec2', 'Container', profile=PRODUCTION):.2f} a month for a service on EC2 "
        f"and ${of('fargate', 'Container', profile=PRODUCTION):.2f} on Fargate"
    )
    yield f"A second disk, ${lightsail.DISK_GB * PRICES['lightsail-disk'].usd:.2f} a month"


def _api_source() -> Iterator[str]:
    yield "they cost ten cents, or $5 if each writes the largest note"  # as _api proves
    yield "A stranger who uses all four for a month costs $20."


SAID: Mapping[str, Callable[[], Iterator[str]]] = {
    "README.md": _readme,
    "config.py": _config,
    "docs/api.md": _api,
    "docs/batch.md": _batch,
    "docs/cron.md": _cron,
    "docs/decisions.md": _decisions,
    "docs/ecr.md": _ecr,
    "docs/ecs_ec2.md": said_of_containers.ecs_ec2_lesson,
    "docs/fargate.md": said_of_containers.fargate_lesson,
    "docs/lightsail.md": _lightsail,
    "docs/thumbnail.md": _thumbnail,
    "stacks/_network.py": said_of_containers.network_source,
    "stacks/_web_service.py": said_of_containers.web_source,
    "stacks/api_gateway.py": _api_source,
}
