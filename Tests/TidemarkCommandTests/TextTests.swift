import Testing
import TidemarkCore
import TidemarkTesting

@testable import tidemark

@Suite struct TextTests {
  private func randomJSON(_ random: inout SeededGenerator, depth: Int = 0) -> JSON {
    let texts = ["", "a\"b", "\n\u{0}\u{7F}", "日é🙂", "\\u0041"]
    switch Int.random(in: 0..<(depth > 3 ? 4 : 6), using: &random) {
    case 0: return .null
    case 1: return .bool(.random(using: &random))
    case 2: return .number(["0", "-1.5e+10", "9223372036854775807", "0.1"].randomElement(using: &random) ?? "0")
    case 3: return .string(texts.randomElement(using: &random) ?? "")
    case 4: return .array((0..<Int.random(in: 0...3, using: &random)).map { _ in randomJSON(&random, depth: depth + 1) })
    default:
      return .object((0..<Int.random(in: 0...3, using: &random)).map { .init("k\($0)", randomJSON(&random, depth: depth + 1)) })
    }
  }

  @Test func randomDocumentsSurviveWritingAndReading() throws {
    var random = SeededGenerator(printing: "JSON round trip")
    for _ in 0..<500 {
      let document = randomJSON(&random)
      #expect(try JSONParser.parse(document.compact) == document)
      #expect(try JSONParser.parse(document.pretty) == document)
    }
  }

  @Test(arguments: [
    "", "{", "[1,]", "{\"a\":1,}", "01", "1.", ".5", "+1", "nul", "\"\n\"", "\"\\x\"", "\"\\ud800\"", "[1] 2",
    "{\"a\":1,\"a\":2}",
    "-", "1e", "\"abc",
  ])
  func malformedDocumentsAreRefused(_ text: String) {
    #expect(throws: JSONError.self) { try JSONParser.parse(text) }
  }

  @Test func deepNestingIsRefused() {
    #expect(throws: JSONError.self) { try JSONParser.parse(String(repeating: "[", count: 100_000)) }
  }

  @Test func surrogatePairsAreOneCharacter() throws {
    #expect(try JSONParser.parse(#""\ud83d\ude42""#) == .string("🙂"))
  }

  @Test func randomInstantsSurviveWritingAndReading() {
    var random = SeededGenerator(printing: "instants")
    for _ in 0..<2_000 {
      let range = Timestamp.validRange.lowerBound.rawValue...Timestamp.validRange.upperBound.rawValue
      let instant = Timestamp(rawValue: .random(in: range, using: &random))
      #expect(TimeText.parse(TimeText.format(instant)) == instant)
    }
  }

  @Test func knownInstantsAreRead() {
    #expect(TimeText.format(Timestamp(rawValue: 0)) == "1970-01-01T00:00:00Z")
    #expect(TimeText.format(Timestamp(rawValue: -1)) == "1969-12-31T23:59:59.999999Z")
    #expect(TimeText.parse("2000-02-29")?.rawValue == 951_782_400_000_000)
    #expect(TimeText.parse("2025-01-01T02:00:00+02:00") == TimeText.parse("2025-01-01"))
    #expect(TimeText.parse("2025-01-01 00:00Z") == TimeText.parse("2025-01-01"))
  }

  @Test(arguments: [
    "2025-02-29", "2025-13-01", "2025-1-1", "2025-01-01T", "2025-01-01T10:00", "2025-01-01T24:00Z", "2025-01-01T10:00:00.Z",
    "2025-01-01T10:00:00.0000001Z", "0000-01-01", "", "2025-01-01Z", "10000-01-01",
  ])
  func wrongInstantsAreRefused(_ text: String) {
    #expect(TimeText.parse(text) == nil)
  }

  @Test func randomBytesSurviveBase64() {
    var random = SeededGenerator(printing: "base64")
    for count in 0..<200 {
      let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
      #expect(Base64.decode(Base64.encode(bytes)) == bytes)
    }
    #expect(Base64.encode(Array("foob".utf8)) == "Zm9vYg==")
    for wrong in ["Zg=", "Zh==", "Z===", "Zm9v\n", "=m9v"] { #expect(Base64.decode(wrong) == nil) }
  }

  @Test func whatCouldDeceiveATerminalIsShownAsAnEscape() {
    #expect(Sanitized.text("a\u{1B}[2Jb\u{202E}c\n\t\u{9B}") == "a\\u{1b}[2Jb\\u{202e}c\\n\\t\\u{9b}")
    #expect(Sanitized.text("日é🙂") == "日é🙂")
    #expect(Sanitized.cut("abcdef", to: 4) == "abc…")
    #expect(Sanitized.width("日本") == 4)
  }

  @Test func wordsAreQuotedForTheShell() {
    #expect(
      ShellText.join(["tidemark", "patch", "a b", "it's", "x!", "n:=5", ""]) == "tidemark patch 'a b' 'it'\\''s' 'x!' n:=5 ''")
  }
}
