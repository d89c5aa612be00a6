#!/bin/sh
# A child that starts another process and never answers. The test looks for the number.
sleep 617.31 &
wait
