#!/bin/sh
# A process that starts a process that starts another, as `npx` does. All ignore SIGTERM, and the end of their input.
# In: a file, and how many to start. Out: the process's number in the file, one a line, the first one first.
trap '' TERM INT HUP
echo $$ >> "$1"
if [ "$2" -gt 1 ]; then
    sh "$0" "$1" $(($2 - 1)) < /dev/null &
fi
while :; do
    sleep 1
done
