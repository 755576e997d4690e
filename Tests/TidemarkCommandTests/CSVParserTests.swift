import Testing
import TidemarkTesting

@testable import tidemark

@Suite struct CSVParserTests {
  /// Parses in pieces of the given sizes, the last of them again and again.
  private func parse(_ text: [UInt8], pieces: [Int] = [.max]) throws -> [CSVParser.Row] {
    var parser = CSVParser()
    var rows: [CSVParser.Row] = []
    var rest = text[...]
    var sizes = pieces[...]
    while !rest.isEmpty {
      let size = min(sizes.count > 1 ? sizes.removeFirst() : sizes.first ?? 1, rest.count)
      rows += try parser.parse(rest.prefix(size))
      rest = rest.dropFirst(size)
    }
    return try rows + parser.finish()
  }

  private func cells(_ text: String) throws -> [[String]] { try parse(Array(text.utf8)).map { $0.cells } }

  private func randomTable(_ random: inout SeededGenerator) -> [[String]] {
    let alphabet = ["a", "é", "日", ",", "\"", "\n", "\r", "\r\n", " ", "", "🙂", "x\u{FEFF}", "1"]
    let columns = Int.random(in: 1...4, using: &random)
    return (0..<Int.random(in: 0...8, using: &random)).map { _ in
      (0..<columns).map { _ in
        (0..<Int.random(in: 0...5, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? "" }.joined()
      }
    }
  }

  @Test func randomTablesSurviveWritingAndReadingInAnyPieces() throws {
    var random = SeededGenerator(printing: "CSV round trip")
    for _ in 0..<300 {
      let table = randomTable(&random)
      let bytes = Array(table.map(CSVText.row).joined().utf8)
      #expect(try parse(bytes).map { $0.cells } == table)
      let size = Int.random(in: 1...9, using: &random)
      #expect(try parse(bytes, pieces: [size]).map { $0.cells } == table)
    }
  }

  @Test func aSplitAtAnyByteChangesNothing() throws {
    let text = "\u{FEFF}id,a\r\n1,\"x \"\"y\"\"\r\nz\"\r\n\r\n2,é日\n3,\"\"\r4,end"
    let bytes = Array(text.utf8)
    let whole = try parse(bytes)
    #expect(whole.map { $0.cells } == [["id", "a"], ["1", "x \"y\"\r\nz"], ["2", "é日"], ["3", ""], ["4", "end"]])
    for split in 1..<bytes.count { #expect(try parse(bytes, pieces: [split, .max]) == whole, "split at \(split)") }
  }

  @Test func rowsKnowTheLineTheyBeginOn() throws {
    let rows = try parse(Array("a,b\r\n\"1\n2\",x\n\n3,4\r5,6".utf8))
    #expect(rows.map { $0.line } == [1, 2, 5, 6])
  }

  @Test func aByteOrderMarkIsLeftOutAndHalfOfOneIsNot() throws {
    #expect(try cells("\u{FEFF}a,b\n") == [["a", "b"]])
    #expect(throws: CSVParser.Failure(line: 1, what: "the text is not valid UTF-8")) { try parse([0xEF, 0xBB, 0x61, 0x0A]) }
  }

  @Test func faultsNameTheirLine() {
    #expect(throws: CSVParser.Failure(line: 2, what: "a quoted cell has no closing quote")) { try cells("a\n\"b\n\nc") }
    #expect(throws: CSVParser.Failure(line: 2, what: "something follows a closing quote")) { try cells("a\n\"b\"c\n") }
    #expect(throws: CSVParser.Failure.self) { try cells("a\nb\"c\n") }
  }

  @Test func rowsBeforeAFaultAreGivenOut() {
    var parser = CSVParser()
    #expect(throws: CSVParser.Failure.self) { try parser.parse(Array("a\nb\n\"c\"d\n".utf8)) }
    #expect(parser.takeRows().map { $0.cells } == [["a"], ["b"]])
  }

  @Test func anEndlessRowIsRefusedInBoundedMemory() {
    var parser = CSVParser()
    let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
    #expect(throws: CSVParser.Failure.self) {
      _ = try parser.parse(Array("\"".utf8))
      for _ in 0..<5 { _ = try parser.parse(piece) }
    }
  }

  @Test func linesSplitAnywhereAreTheSame() throws {
    let bytes = Array("\u{FEFF}{\"a\":1}\r\n\n  \n{\"b\":\"é\"}".utf8)
    var whole = LineSplitter()
    let expected = try whole.split(bytes) + whole.finish()
    #expect(expected.map { String(decoding: $0.bytes, as: UTF8.self) } == ["{\"a\":1}", "{\"b\":\"é\"}"])
    #expect(expected.map { $0.number } == [1, 4])
    for split in 0...bytes.count {
      var splitter = LineSplitter()
      #expect(try splitter.split(bytes[..<split]) + splitter.split(bytes[split...]) + splitter.finish() == expected)
    }
  }
}
