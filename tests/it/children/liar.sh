#!/bin/sh
# A child that says a checkpoint passed that it never began to judge.
printf '\052\000\000\000{"Ready":{"landlock":true,"seccomp":true}}'
printf '\142\000\000\000{"Judged":[0,{"judgement":{"outcome":"pass","blame":null,"evidence":[],"cases":null},"trace":[]}]}'
sleep 5
