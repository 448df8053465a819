#!/bin/sh
# jsii, the bridge between Python and CDK, starts Node with this script. CDK's validator is a WebAssembly program, which
# runs for about a second. Node's defaults are for servers: they compile and collect garbage in many threads. Without
# these threads, the validation needs a third of the time. The values of the two options do not change any template.
# The cache of compiled code is of no use here: each start of jsii has other file names, and would only enlarge the cache.
unset NODE_COMPILE_CACHE
exec node --liftoff-only --single-threaded-gc "$@"
