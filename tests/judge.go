// What Go's `encoding/json` reads, a message a line: prints how many lines it read, how many calls of `get`, and how many denied calls.
// With `finds`, prints the messages that it reads as denied calls instead. The policy is that of `src/messages.rs`.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

type message struct {
	Method json.RawMessage `json:"method"`
	Params json.RawMessage `json:"params"`
}

type params struct {
	Name      json.RawMessage `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
}

type arguments struct {
	Amount json.RawMessage `json:"amount"`
}

func text(raw json.RawMessage) (text string) {
	_ = json.Unmarshal(raw, &text)
	return text
}

// Whether it is a call of `get`, and whether it is denied.
func read(raw json.RawMessage) (isGet bool, isDenied bool) {
	var one message
	var its params
	var args arguments
	var amount float64
	if json.Unmarshal(raw, &one) != nil || text(one.Method) != "tools/call" || json.Unmarshal(one.Params, &its) != nil {
		return false, false
	}
	// Arguments that cannot be read have no amount.
	_ = json.Unmarshal(its.Arguments, &args)
	_ = json.Unmarshal(args.Amount, &amount)
	name := text(its.Name)
	return name == "get", name == "pay" || name == "get" && amount >= 9
}

func main() {
	finds := len(os.Args) > 1 && os.Args[1] == "finds"
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<16), 1<<24)
	readable, calls, denied := 0, 0, 0
	for lines.Scan() {
		line := lines.Bytes()
		if !json.Valid(line) {
			continue
		}
		readable++
		var batch []json.RawMessage
		if json.Unmarshal(line, &batch) != nil {
			batch = []json.RawMessage{line}
		}
		found := false
		for _, one := range batch {
			isGet, isDenied := read(one)
			if isGet {
				calls++
			}
			found = found || isDenied
		}
		if found {
			denied++
			if finds {
				fmt.Fprintf(out, "%s\n", line)
			}
		}
	}
	if lines.Err() != nil {
		fmt.Fprintln(os.Stderr, lines.Err())
		os.Exit(1)
	}
	if !finds {
		fmt.Fprintln(out, readable, calls, denied)
	}
}
