import ArgumentParser

/// A short sheet of commands.
struct Cheat: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Show the commands of a working day on one page.")

  func run() throws {
    StandardStream.output.write(
      """
      # Say which server, once
      tidemark context add hotel tidemark://localhost:8433/hotel --token-file ~/.hotel.token
      tidemark doctor

      # One entity
      tidemark create booking 17 title='Board meeting' seats:=8 start@=2025-03-01T09:00:00Z
      tidemark get booking 17
      tidemark patch booking 17 seats+=1 note! --expected 1
      tidemark delete booking 17 --expected 2 --yes
      tidemark restore booking 17 --expected 3

      # Many
      tidemark list booking --fields id,title,version
      tidemark list booking --ndjson | head
      tidemark import bookings.csv --type booking --map start:timestamp,seats:int
      tidemark import bookings.csv --type booking --map start:timestamp,seats:int --update
      tidemark bulk moves.csv --type booking --map start:timestamp     # a column 'version' says what was seen
      tidemark bulk moves.csv --type booking --validate-only
      tidemark bulk retry moves.results.ndjson --only conflict
      tidemark bulk undo moves.results.ndjson
      tidemark adopt sqlite:shop.db booking --type booking --dry-run   # rows of a plain table; then --verify, --undo
      tidemark export --type booking > bookings.jsonl
      tidemark export --type booking --format csv > bookings.csv

      # Running it
      tidemark space create hotel
      tidemark schema diff hotel.yaml
      tidemark schema apply hotel.yaml --yes
      tidemark schema show > hotel.yaml
      tidemark token create desk --grant hotel=writer > desk.token
      tidemark verify hotel
      tidemark ping --count 100

      # Fields: name=text  name:=JSON  name@=time  name%=base64  name+=1  name!
      # Output: --json  --ndjson  --fields a,b  --fields '?'  --screen-reader
      # Exit:   0 done  1 failed  2 usage  3 partly  4 denied  5 conflict  6 unreachable  130 interrupted
      # Shell completion, with the names of spaces and types: source <(tidemark --generate-completion-script bash)    (zsh, fish)

      """)
    StandardStream.output.flush()
  }
}
