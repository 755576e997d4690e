import Foundation
import Testing

@testable import tidemarkd

/// What callers choose (ids, principals) in lines of the log.
@Suite struct LogTextTests {
  private static let forged = "x outcome=applied principal=root\u{2028}\u{85}\u{9b}31m\u{202e}evil"

  @Test func aValueCannotLookLikeOthersOrLikeALine() {
    #expect(
      LogText.quoted(Self.forged) == #""x outcome=applied principal=root\u{2028}\u{85}\u{9b}31m\u{202e}evil""#)
    #expect(LogText.quoted(#"a"b\c"#) == #""a\"b\\c""#)
    #expect(LogText.quoted("a\nb") == #""a\u{a}b""#)
    #expect(LogText.quoted("a\u{a0}b") == "\"a\u{a0}b\"")
  }

  @Test(arguments: ["", "a", "sqlite:/srv/tidemark", "0198c5f0-0000-7000-8000-000000000000", "Gäste:1"])
  func plainValuesStayAsTheyAre(_ text: String) {
    #expect(LogText.quoted(text) == text)
  }

  @Test func aLineOfJSONIsOneLineAndKeepsItsValues() throws {
    let object = ["id": Self.forged + "\u{e0041}\n", "message": "a write was refused"]
    let line = try #require(JSONLogHandler.line(object))
    let text = String(decoding: line, as: UTF8.self)
    #expect(text.hasSuffix("}\n") && text.dropLast().allSatisfy { !$0.isNewline })
    #expect(text.dropLast().unicodeScalars.allSatisfy { ![.control, .format].contains($0.properties.generalCategory) })
    #expect(try JSONSerialization.jsonObject(with: line) as? [String: String] == object)
  }
}
