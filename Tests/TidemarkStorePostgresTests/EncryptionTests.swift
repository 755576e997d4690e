import Synchronization
import Testing
import TidemarkStore
import TidemarkTesting
import TidemarkTestTraits

@testable import TidemarkStorePostgres

/// TLS to the database, as the URL asks for it.
@Suite(needsPostgres, .ownThreads) struct EncryptionTests {
  /// Why the store cannot be opened; `nil` when it can.
  private func refusal(_ url: String) -> String? {
    do { _ = try PostgresStore.open(url: url) } catch { return (error as? StoreError)?.message ?? "\(error)" }
    return nil
  }

  @Test func aServerIsKnownByItsCertificate() throws {
    let server = try #require(PostgresServer.make(.tls))
    let folder = server.certificates
    let verified = server.url(port: "sslmode=verify-full&sslrootcert=\(folder)/ca.pem")
    #expect(refusal(verified) == nil)
    let encrypted = try PostgresServer.texts(verified, "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    #expect(encrypted == ["true"])
    let other = try #require(refusal(server.url(port: "sslmode=verify-full&sslrootcert=\(folder)/other.pem")))
    #expect(other.contains("certificate verify failed"))
    let missing = try #require(refusal(server.url(port: "sslmode=verify-full&sslrootcert=\(folder)/nothing.pem")))
    #expect(missing.contains("nothing.pem"))
    let named = server.url(port: "sslmode=verify-full&sslrootcert=\(folder)/ca.pem").replacing("localhost", with: "127.0.0.1")
    let renamed = named.replacing("@127.0.0.1", with: "@wrong.example") + "&hostaddr=127.0.0.1"
    #expect(try #require(refusal(renamed)).contains("does not match host name"))
    // A user who is let in by a certificate, and by nothing else.
    let certified = "sslmode=verify-full&sslrootcert=\(folder)/ca.pem&options=-csearch_path%3Down"
    try PostgresServer.execute(verified, "CREATE ROLE certified LOGIN; CREATE SCHEMA own AUTHORIZATION certified")
    #expect(refusal(server.url(port: certified, user: "certified")) != nil)
    let keys = "&sslcert=\(folder)/client.pem&sslkey=\(folder)/client.key"
    #expect(refusal(server.url(port: certified + keys, user: "certified")) == nil)
  }

  @Test func aServerWithoutTLSIsRefusedWhereItIsAskedFor() throws {
    let server = try #require(PostgresServer.make(.port))
    #expect(refusal(server.url(port: "sslmode=disable")) == nil)
    let complaint = try #require(refusal(server.url(port: "sslmode=require")))
    #expect(complaint.contains("server does not support SSL"))
  }

  @Test(arguments: [
    ("127.0.0.1", true), ("127.8.8.8", true), ("::1", true), ("/run/postgresql", true), ("@abstract", true), ("localhost", true),
    ("10.0.0.1", false), ("db.example", false), ("fd00::2", false), ("1.127.0.1", false),
  ])
  func onlyWhatStaysOnThisMachineNeedsNoEncryption(_ host: String, _ isPrivate: Bool) {
    #expect(ConnectionOpener.staysOnThisMachine(host) == isPrivate)
  }
}
