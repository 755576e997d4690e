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

  @Test func anAddressMayNameSeveralServersOfOneStore() throws {
    let address = try ServerAddress(parsing: "tidemark://a:1,b,[::1]:9/hotel")
    #expect(address.endpoints.map(\.description) == ["a:1", "b:8433", "[::1]:9"])
    #expect(address.host == "a" && address.space?.text == "hotel")
    #expect(address.description == "tidemark://a:1,b:8433,[::1]:9/hotel")
    #expect(try ServerAddress(parsing: address.description) == address)
    // A token for all of them may be sent to one; one for one is not sent to others.
    let one = try ServerAddress(parsing: "tidemark://b/garden")
    #expect(address.isSameServer(as: one) && !one.isSameServer(as: address))
    #expect(!address.isLoopback)
    #expect(try ServerAddress(parsing: "tidemark://localhost:1,127.0.0.1:2").isLoopback)
    for wrong in ["tidemark://a,", "tidemark://,a", "tidemark://a,,b", "tidemark://a,a:8433", "tidemark://a, b"] {
      #expect(throws: AddressError.self) { try ServerAddress(parsing: wrong) }
    }
    let many = (0...ServerAddress.endpointsMax).map { "h\($0)" }.joined(separator: ",")
    #expect(throws: AddressError.self) { try ServerAddress(parsing: "tidemark://" + many) }
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
