import Foundation
import Testing
import TidemarkStore
import TidemarkTesting
import TidemarkTestTraits

@testable import TidemarkStorePostgres

/// A password that comes from a file.
@Suite struct PasswordFileTests {
  private let folder: TemporaryFolder
  private var path: String { "\(folder.path)/password" }

  init() throws { folder = try TemporaryFolder() }

  private func write(_ text: String, mode: Int = 0o600) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
  }

  private func complaint() -> String? {
    do { _ = try PasswordFile.read(path) } catch { return error.message }
    return nil
  }

  @Test(arguments: ["se cret", "se cret\n", "se cret\r\n"]) func aLineEndIsNoPartOfThePassword(_ text: String) throws {
    try write(text)
    #expect(try PasswordFile.read(path) == "se cret")
  }

  @Test(arguments: [0o640, 0o604, 0o660, 0o602, 0o644]) func aFileThatOthersMayReadOrChangeIsRefused(_ mode: Int) throws {
    try write("secret", mode: mode)
    let complaint = try #require(self.complaint())
    #expect(complaint.contains("chmod 600") && complaint.contains(path) && !complaint.contains("secret"))
  }

  @Test(arguments: ["", "\n", "secret\nmore\n", "sec\u{0}ret", String(repeating: "s", count: 5_000)])
  func aFileThatHoldsNoPasswordIsRefused(_ text: String) throws {
    try write(text)
    let complaint = try #require(self.complaint())
    #expect(complaint.contains(path) && !complaint.contains("secret"))
  }

  @Test func aFileThatIsNotThereIsNamed() throws {
    #expect(try #require(complaint()).contains(path))
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    #expect(try #require(complaint()).contains("is no file"))
  }

  @Test(needsPostgres, .ownThreads) func aPasswordThatWasChangedIsUsedByTheNextConnection() throws {
    let server = try #require(PostgresServer.make())
    let admin = server.url(schema: "public")
    try PostgresServer.execute(admin, "CREATE ROLE guarded LOGIN PASSWORD 'one'; CREATE SCHEMA own AUTHORIZATION guarded")
    try write("one\n")
    var options = PostgresStoreOptions()
    options.passwordFile = path
    let store = try PostgresStore.open(url: server.url(schema: "own", user: "guarded"), options: options)
    let reader = try store.openReader()
    func spaces() throws -> Int { try reader.read { try $0.spaces().count } }
    try PostgresServer.execute(admin, "ALTER ROLE guarded PASSWORD 'two'")
    // The connection that is there goes on.
    #expect(try spaces() == 0)
    try server.terminateBackends()
    #expect(code { _ = try spaces() } == .unavailable)
    try write("two\n")
    #expect(try onceReached { try spaces() } == 0)
    try write("two\n", mode: 0o644)
    try server.terminateBackends()
    #expect(code { _ = try spaces() } == .unavailable)
  }
}
