#!/bin/sh
# A child that judges as it should, and then does what the file it was given says in its last line.
request=$(tr -d '\000')

frame() {
    printf "\\$(printf %03o $((${#1} % 256)))\\$(printf %03o $((${#1} / 256)))\\000\\000%s" "$1"
}

piece() {
    printf '{"message":"quote it","place":{"file":"%s","line":4}}' "$1"
}

frame '{"Ready":{"landlock":true,"seccomp":true}}'
case "$request" in
*'"checkpoints":[]'*) ;;
*)
    frame '{"Begun":0}'
    case "$request" in *'answer: judging-kills'*) kill -9 $$ ;; esac
    frame '{"Judged":[0,{"judgement":{"outcome":"pass","blame":null,"evidence":[],"cases":null},"trace":[]}]}'
    ;;
esac
right=$(piece web.yaml)
case "$request" in
*'answer: dies'*) kill -9 $$ ;;
*'answer: sleeps'*) sleep 5 ;;
*'answer: floods'*) while :; do printf 'GET / HTTP/1.1\r\n'; done ;;
*'answer: elsewhere'*) frame "{\"Advised\":[$(piece ../web.yaml)]}" ;;
*'answer: too-much'*)
    frame "{\"Advised\":[$right,$right,$right,$right,$right,$right,$right,$right,$right,$right,$right]}"
    ;;
*'answer: takes-back'*) frame '{"Judged":[0,{"judgement":{"outcome":"fail","blame":null,"evidence":[],"cases":null},"trace":[]}]}' ;;
*) frame "{\"Advised\":[$right]}" ;;
esac
frame '"Finished"'
