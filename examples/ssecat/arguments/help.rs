//! What `--help` prints, within 80 columns.

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
                      --checkpoint are such values then
  --cursor-inclusive  the server begins with the event of the cursor itself:
                      leave it out
  --checkpoint FILE   keep the id of the last event handled in FILE, and start
                      after it; wins over --last-id once it holds an id

Connection:
  --idle SECS         reconnect when nothing has come for so long, comments
                      included; default 300
  --retry never|forever|N
                      how many failures in a row to try again; default 5 for
                      GET, never for every other method; 0 is never;
                      forever also outlasts a 404 or a page in place of the
                      stream
  --cacert PEM        trust the certificates of this file, and no others; it is
                      read again when they do not do
  --ca-native         trust what the system (or SSL_CERT_FILE) trusts in place
                      of the built-in roots; with --cacert that as well
  --pinnedpubkey PINS trust the server with this public key, sha256//BASE64, or
                      with this SHA-256 of its certificate or key, 64
                      hexadecimal digits, signed by anyone, and no other;
                      several have semicolons in between
  --resolve HOST:PORT:ADDR
                      connect to this address for HOST and PORT, instead of
                      looking HOST up; may be given several times
  --interface NAME    send by this network device (Linux), or, if NAME is an
                      address of this machine, connect from it
  --unix-socket PATH  connect to this Unix socket; the host of URL is sent as
                      the Host header
  --compressed        ask for gzip, and decode it; events come in batches from a
                      server that does not flush its compressor for each

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
                      times: for a bug report; what the request holds is left
                      out

Command:
  --exec CMD          run CMD with sh for each event instead of printing it:
                      the event is on its standard input, and in the variables
                      SSE_TYPE, SSE_ID and SSE_DATA; it counts as handled once
                      CMD exits with 0; if CMD fails, ssecat ends
  --exec-retry SECS   if CMD fails, run it again after so many seconds, until
                      it succeeds

End:
  --count N           end after N events
  --timeout SECS      end after so many seconds

Messages:
  -v                  log more
  -q, --quiet         no status line and no warnings, only what ends it

  -h, --help          print this
  -V, --version       print the version

SECS may have decimals. Events go to the standard output, everything else to
the error output. On a terminal, control characters are shown as U+FFFD.

Exit codes: 0 done, 1 the output cannot be written, 2 usage, 3 network,
4 HTTP status, 5 TLS or clock, 6 CMD failed, 7 fewer events than --count.
"#;
