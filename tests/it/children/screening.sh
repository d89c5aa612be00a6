#!/bin/sh
# A child that dies of going through the objects, before it judges, and judges when it need not go through them.
request=$(tr -d '\000')
printf '\052\000\000\000{"Ready":{"landlock":true,"seccomp":true}}'
case "$request" in *'"screening":"On"'*) kill -9 $$ ;; esac
printf '\013\000\000\000{"Begun":0}'
printf '\142\000\000\000{"Judged":[0,{"judgement":{"outcome":"pass","blame":null,"evidence":[],"cases":null},"trace":[]}]}'
printf '\012\000\000\000"Finished"'
