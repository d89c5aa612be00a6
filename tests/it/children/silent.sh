#!/bin/sh
# A child that never answers.
exec sleep 617
