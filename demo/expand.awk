# Expands a script of what an agent does into JSON lines for `callgate eval --calls`.
#
# A line of the script is: TIME EVERY COUNT TOOL IDENTITY ARGS, such as
#     10:00:00.000  60  1000  create_access_key  "agent-7"  {"user": "bob"}
# COUNT calls, the first at TIME of one fixed day, then one every EVERY milliseconds. IDENTITY and ARGS are JSON; IDENTITY
# has no blanks in it, ARGS goes to the end of the line. Nothing here depends on the day or the machine.

/^[ \t]*(#|$)/ { next }

{
    split($1, time, /[:.]/)
    millis = ((time[1] * 60 + time[2]) * 60 + time[3]) * 1000 + time[4]
    args = $0
    for (field = 1; field <= 5; field++) sub(/^[ \t]*[^ \t]+[ \t]*/, "", args)
    for (call = 0; call < $3; call++) {
        at = millis + call * $2
        printf "{\"at\": \"2026-11-21T%02d:%02d:%02d.%03dZ\", \"tool\": \"%s\", \"identity\": %s, \"args\": %s}\n",
            int(at / 3600000), int(at / 60000) % 60, int(at / 1000) % 60, at % 1000, $4, $5, args
    }
}
