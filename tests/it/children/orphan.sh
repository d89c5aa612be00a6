#!/bin/sh
# A child that starts another process and never answers. The test, its parent, looks for the number.
sleep 617.$PPID &
wait
