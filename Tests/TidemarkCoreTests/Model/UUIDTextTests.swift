import Testing
import TidemarkCore

@Suite struct UUIDTextTests {
  @Test func textRoundTrips() {
    var random = SystemRandomNumberGenerator()
    let id = UUIDText.makeVersion7(now: Timestamp(rawValue: 1_700_000_000_000_000), using: &random)
    let text = UUIDText.format(id)
    #expect(UUIDText.parse(text) == id)
    #expect(text.dropFirst(14).first == "7")
  }
}
