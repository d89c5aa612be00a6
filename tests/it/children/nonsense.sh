#!/bin/sh
# A child that was taken over and floods its parent.
while :; do printf 'GET / HTTP/1.1\r\n'; done
