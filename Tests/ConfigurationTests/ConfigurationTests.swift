import ArgumentParser
import Testing
import TidemarkStorePostgres

@testable import tidemarkd

/// One precedence, and a clear message for everything that cannot be right.
@Suite struct ConfigurationTests {
  private func resolve(
    flags: [String: String] = [:], environment: [String: String] = [:], file: String? = nil
  ) throws -> Configuration {
    try Configuration.resolve(flags: flags, environment: environment, filePath: file)
  }

  private func message(flags: [String: String] = [:], environment: [String: String] = [:]) -> String? {
    do { _ = try resolve(flags: flags, environment: environment) } catch { return "\(error)" }
    return nil
  }

  @Test func flagWinsOverEnvironmentOverDefault() throws {
    #expect(try resolve().port == 8433)
    #expect(try resolve(environment: ["TIDEMARKD_LISTEN": "127.0.0.1:1"]).port == 1)
    #expect(try resolve(flags: ["listen": "127.0.0.1:2"], environment: ["TIDEMARKD_LISTEN": "127.0.0.1:1"]).port == 2)
  }

  @Test func fileGivesWayToTheEnvironment() throws {
    let values = try ConfigurationFile.parse("log_level: debug\nthreads: 4\n", path: "t.yaml")
    #expect(values == ["log_level": "debug", "threads": "4"])
  }

  @Test(arguments: ["colour: blue", "- a", "threads: [1]", "threads: 1\nthreads: 2", "a: b: c"])
  func filesThatCannotBeRightAreRefused(text: String) {
    #expect(throws: ConfigurationError.self) { try ConfigurationFile.parse(text, path: "t.yaml") }
  }

  @Test func unknownEnvironmentSettingIsRefused() {
    #expect(message(environment: ["TIDEMARKD_LISTN": "x"])?.contains("TIDEMARKD_LISTN") == true)
    #expect(message(environment: ["TIDEMARK_URL": "x"]) == nil)
  }

  @Test(arguments: [
    ("threads", "0"), ("threads", "many"), ("listen", "8433"), ("listen", "127.0.0.1:70000"), ("store", "mysql:x"),
    ("store", "sqlite:"),
    ("development", "maybe"), ("log_level", "loud"), ("log_format", "xml"), ("idle_timeout_ms", "-1"),
  ])
  func wrongValuesNameTheirSetting(key: String, value: String) {
    #expect(message(flags: [key: value])?.contains(key) == true)
  }

  @Test(arguments: [
    ("postgres_pool_size", "0"), ("postgres_pool_overflow", "-1"), ("postgres_pool_wait_ms", "0"),
    ("postgres_connection_age_s", "0"), ("postgres_check_after_idle_s", "-1"), ("postgres_connect_timeout_s", "1"),
    ("postgres_statement_timeout_ms", "0"), ("postgres_lock_timeout_ms", "soon"),
    ("postgres_idle_in_transaction_timeout_ms", "3600001"), ("postgres_password_file", ""), ("postgres_lock_timeout_ms", "30001"),
  ])
  func wrongValuesForADatabaseNameTheirSetting(key: String, value: String) {
    #expect(message(flags: [key: value])?.contains(key) == true)
  }

  @Test func whatIsSaidAboutADatabaseReachesIt() throws {
    let configuration = try resolve(
      flags: [
        "postgres_pool_size": "3", "postgres_pool_overflow": "0", "postgres_pool_wait_ms": "1", "postgres_connection_age_s": "2",
        "postgres_check_after_idle_s": "0", "postgres_connect_timeout_s": "4", "postgres_statement_timeout_ms": "5000",
        "postgres_lock_timeout_ms": "6", "postgres_idle_in_transaction_timeout_ms": "7", "postgres_password_file": "f",
      ])
    let options = configuration.postgres
    #expect(options.poolSize == 3 && options.poolOverflow == 0 && options.poolWaitMS == 1 && options.connectionAgeSeconds == 2)
    #expect(options.checkAfterIdleSeconds == 0 && options.connectTimeoutSeconds == 4 && options.statementTimeoutMS == 5_000)
    #expect(options.lockTimeoutMS == 6 && options.silenceTimeoutMS == 7 && options.passwordFile == "f")
  }

  @Test(arguments: [
    "postgres://host/db", "postgresql://user@host:5432/db?sslmode=verify-full",
    "postgres://user@/db?host=%2Fvar%2Frun&passfile=f",
  ])
  func aURLOfPostgresIsTakenAsItIs(url: String) throws {
    #expect(try resolve(flags: ["store": url]).store == .postgres(url: url))
  }

  @Test(arguments: ["postgres://user:secret@host/db", "postgres://host/db?sslmode=allow&password=secret"])
  func aPasswordInTheURLIsRefusedAndNotRepeated(url: String) throws {
    let complaint = try #require(message(flags: ["store": url]))
    #expect(complaint.contains("--postgres-password-file") && !complaint.contains("secret"))
  }

  @Test func contradictionsAreRefused() {
    #expect(message(flags: ["listen": "0.0.0.0:8433"])?.contains("listen_beyond_loopback_without_tls") == true)
    #expect(message(flags: ["listen": "0.0.0.0:8433", "listen_beyond_loopback_without_tls": "true"]) == nil)
    #expect(
      message(flags: ["listen": "0.0.0.0:8433", "listen_beyond_loopback_without_tls": "true", "development": "true"]) != nil)
    #expect(message(flags: ["connections_max": "10", "connections_per_address_max": "11"]) != nil)
  }

  @Test func everySettingHasAFlag() {
    let help = Serve.helpMessage()
    for setting in Setting.all { #expect(help.contains(setting.flag), "\(setting.key)") }
  }
}
