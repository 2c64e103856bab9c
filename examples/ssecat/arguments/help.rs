//! The text of `--help`, within 80 columns.

pub(crate) const HELP: &str = r#"Prints the events of a Server-Sent Events stream, or runs a command for each.

Usage: ssecat [OPTIONS] URL

Request:
  -X METHOD           the method; default GET, with -d POST
  -H 'NAME: VALUE'    a header; may be given several times
  -d BODY, -d @FILE   the body, or the file that holds it (@- is the standard
                      input); sent as application/json if it is JSON, else as
                      application/x-www-form-urlencoded, unless
                      -H 'Content-Type: …' says otherwise

Position:
  --last-id ID        start after this event
  --cursor 'KEY={FIELD}', --cursor 'NAME: …{FIELD}…'
                      for servers without ids: resume with the value of FIELD,
                      a member of the JSON data (a.b is b within a), in the
                      query's KEY or the header NAME; --last-id and
                      --checkpoint then hold such values
  --cursor-inclusive  the server sends the event of the cursor again: skip it
  --checkpoint FILE   keep the id of the last event handled in FILE, and start
                      after it; overrides --last-id once it holds an id

Connection:
  --idle SECS         reconnect when nothing arrives for so long, not even a
                      comment; default 300
  --retry never|forever|N
                      how many failures in a row to retry; default 5 for GET,
                      never for other methods; 0 is never; forever also
                      retries after a 404 or a page in place of the stream
  --cacert PEM        trust only the certificates in this file; it is read
                      again when they do not match
  --ca-native         trust the roots of the system (or of SSL_CERT_FILE)
                      instead of the built-in ones; with --cacert, both
  --pinnedpubkey PINS trust only a server with this public key, sha256//BASE64,
                      or with this SHA-256 of its certificate or key, 64
                      hexadecimal digits, whatever its issuer; separate
                      several with semicolons
  --resolve HOST:PORT:ADDR
                      connect to this address for HOST and PORT, instead of
                      looking HOST up; may be given several times
  --interface NAME    connect from this network device (Linux only), or from
                      this address of the machine
  --unix-socket PATH  connect to this Unix socket; the host of URL is sent as
                      the Host header
  --compressed        ask for gzip, and decode it; events arrive in batches if
                      the server does not flush its compressor for each

Output:
  --format FORMAT     text  a block in its canonical wire form (default)
                      json  one line: {"type":…,"id":…,"data":…}
                      tsv   one line: type, id and data, separated by tabs
                      data  the data alone (default with --exec)
                      raw   the block as it was received
  --json              the same as --format json
  --time              add the time at which each event was received, in UTC
  --gaps              mark where events may be missing: where the stream broke,
                      and where one was too large; CMD finds it in SSE_GAP
  --only TYPE         leave out events of other types; may be given several
                      times
  --ignore TYPE       leave out events of this type; may be given several times
  --record FILE       write the bytes received to FILE, decoded, with their
                      times, for a bug report; nothing of the request is
                      recorded

Command:
  --exec CMD          run CMD with sh for each event instead of printing it:
                      the event is on its standard input, and in the variables
                      SSE_TYPE, SSE_ID and SSE_DATA; it counts as handled once
                      CMD exits with 0; if CMD fails, ssecat ends
  --exec-retry SECS   if CMD fails, run it again after SECS, until it succeeds

End:
  --count N           end after N events
  --timeout SECS      end after SECS

Messages:
  -v                  log more
  -q, --quiet         no status line and no warnings, only the final error

  -h, --help          print this
  -V, --version       print the version

SECS may have decimals. Events go to the standard output, everything else to
the error output. On a terminal, control characters are shown as U+FFFD.

Exit codes: 0 done, 1 the output cannot be written, 2 usage, 3 network,
4 HTTP status, 5 TLS or clock, 6 CMD failed, 7 fewer events than --count.
"#;
