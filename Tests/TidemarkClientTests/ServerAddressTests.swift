import Testing
import TidemarkCore

@testable import TidemarkClient

@Suite struct ServerAddressTests {
  @Test(arguments: [
    ("tidemark://h", "h", 8433, nil), ("tidemark://h:1", "h", 1, nil), ("tidemark://h/hotel", "h", 8433, "hotel"),
    ("tidemark://127.0.0.1:65535/a.b-c", "127.0.0.1", 65_535, "a.b-c"), ("tidemark://[::1]:9/x", "::1", 9, "x"),
    ("tidemark://[::1]", "::1", 8433, nil), ("tidemark://h/", "h", 8433, nil),
  ])
  func addressesAreRead(_ text: String, _ host: String, _ port: Int, _ space: String?) throws {
    let address = try ServerAddress(parsing: text)
    #expect(address.host == host)
    #expect(address.port == port)
    #expect(address.space?.text == space)
    #expect(try ServerAddress(parsing: address.description) == address)
  }

  @Test(arguments: [
    "", "h:1", "http://h", "tidemark://", "tidemark://:1", "tidemark://h:", "tidemark://h:0", "tidemark://h:65536",
    "tidemark://h:+1",
    "tidemark://h/A", "tidemark://h/a/b", "tidemark://::1", "tidemark://[::1", "tidemark://[::1]x", "tidemark://h?x",
    "tidemark://a b",
    "tidemark://[::1]:",
  ])
  func wrongAddressesAreRefused(_ text: String) {
    #expect(throws: AddressError.self) { try ServerAddress(parsing: text) }
  }

  @Test func aSecretInAnAddressIsNotRepeated() throws {
    let error = #expect(throws: AddressError.self) { try ServerAddress(parsing: "tidemark://user:hunter2@h") }
    #expect(error?.description.contains("hunter2") == false)
  }

  @Test func credentialsNeverShowTheirSecret() {
    #expect("\(Credentials.bearer("tmk_secret"))" == "bearer token")
    #expect(String(reflecting: Credentials.bearer("tmk_secret")) == "bearer token")
  }
}
