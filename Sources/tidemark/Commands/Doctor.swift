import ArgumentParser
import TidemarkClient
import TidemarkCore
import TidemarkWire

/// Finds out why things do not work.
struct Doctor: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check address, connection, token, clock, space and versions, and say what to do.",
    discussion: """
      Exits with 6 when the server cannot be reached, with 4 when the token is not good, with 2 when no server is given or the \
      address is wrong, with 1 for anything else. Warnings do not change the status.
      """)

  private static let names = ["result", "check", "detail", "advice"]

  @OptionGroup var options: CallOptions

  func run() async throws {
    if options.output.listsFields(Doctor.names) { return }
    var writer = RecordWriter(options.output, columns: Doctor.names)
    let isSheet = options.output.format == .table && options.output.chosen == nil
    let status = try await examine { finding in
      if isSheet { StandardStream.output.write(finding.text) } else { writer.write(finding.json) }
    }
    if isSheet { StandardStream.output.flush() } else { writer.finish() }
    if status != .done { throw CommandFailure.told(status) }
  }

  /// What one check found.
  private struct Finding {
    enum Result: String { case ok, warning, failed }
    var result: Result
    var check: String
    var detail: String
    /// What to do, in lines.
    var advice = ""

    /// For people: the advice stands below what it is about.
    var text: String {
      func padded(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }
      let head = "\(padded(result.rawValue, 9))\(padded(check, 12))\(Sanitized.text(detail))\n"
      let lines = advice.split(separator: "\n").map { padded("", 21) + Sanitized.text(String($0)) + "\n" }
      return head + lines.joined()
    }

    var json: JSON {
      .object([
        .init("result", .string(result.rawValue)), .init("check", .string(check)), .init("detail", .string(detail)),
        .init("advice", .string(advice)),
      ])
    }
  }

  private func examine(_ tell: (Finding) -> Void) async throws -> ExitStatus {
    let target: ServerOptions.Target
    do {
      target = try options.server.resolve()
    } catch {
      tell(Finding(result: .failed, check: "address", detail: error.message, advice: error.advice.joined(separator: "\n")))
      return error.status
    }
    tell(Finding(result: .ok, check: "address", detail: "\(target.address) from \(target.addressSource)"))
    var status = ExitStatus.done
    try await options.run { session in
      status = await examine(session, tell)
    }
    return status
  }

  /// Asks each server of an address that names several. One that does not answer is a warning: calls go to the others.
  private func examineServers(_ target: ServerOptions.Target, _ tell: (Finding) -> Void) async {
    guard !target.address.others.isEmpty else { return }
    for endpoint in target.address.endpoints {
      let address = ServerAddress(host: endpoint.host, port: endpoint.port)
      var calling = ClientOptions()
      calling.deadline = .seconds(min(options.server.timeout, 5))
      calling.connectTimeout = .seconds(min(options.server.timeout, 5))
      calling.attemptsMax = 1
      let client = TidemarkClient(address, credentials: target.credentials, options: calling)
      defer { client.close() }
      do {
        let info = try await client.serverInfo()
        let uptime = TimeSpan.text(Double(info.uptimeMicroseconds) / 1_000_000)
        tell(
          Finding(
            result: .ok, check: "server", detail: "\(endpoint) is node \(info.node), version \(info.version), up for \(uptime)"))
      } catch {
        tell(
          Finding(
            result: .warning, check: "server", detail: "\(endpoint): \(error.message)",
            advice: "Calls go to the other servers of the address while one answers."))
      }
    }
  }

  private func examine(_ session: Session, _ tell: (Finding) -> Void) async -> ExitStatus {
    await examineServers(session.target, tell)
    let start = ContinuousClock.now
    do {
      let hello = try await session.client.handshake()
      tell(
        Finding(result: .ok, check: "connection", detail: "open after \(TimeSpan.milliseconds(ContinuousClock.now - start)) ms"))
      tell(Doctor.handshake(hello))
    } catch {
      tell(
        Finding(
          result: .failed, check: "connection", detail: error.message,
          advice: error.code == .protocolError
            ? "Install the version of tidemark that belongs to the server."
            : "Is tidemarkd running there? Do host and port agree with its --listen? Does a firewall stand between?"))
      return ExitStatus(error.code)
    }
    let transport = Doctor.privacy(session.target)
    tell(transport)
    do {
      let asked = ContinuousClock.now
      let info = try await session.client.serverInfo()
      tell(Doctor.credentials(info, session.target))
      tell(Doctor.clock(info, roundTrip: ContinuousClock.now - asked))
      tell(Doctor.versions(info))
      if let connections = info.connections { tell(Doctor.database(connections)) }
    } catch {
      tell(Doctor.refusal("token", error, session.target))
      return ExitStatus(error.code)
    }
    do {
      let space = try await session.space.describe()
      tell(
        Finding(
          result: .ok, check: "space", detail: "'\(space.name)' at revision \(space.revision), \(space.aliveEntities) entities"))
    } catch {
      tell(Doctor.refusal("space", error, session.target))
      return ExitStatus(error.code)
    }
    return .done
  }

  private static func handshake(_ hello: Hello) -> Finding {
    let limit = hello.callsInFlightMax == 0 ? 128 : hello.callsInFlightMax
    let message = hello.messageBytesMax == 0 ? UInt32(WireLimits.messageBytesMax) : hello.messageBytesMax
    return Finding(
      result: .ok, check: "handshake",
      detail: "protocol 1.\(hello.minorMax), \(limit) calls at once, messages up to \(message) bytes")
  }

  private static func privacy(_ target: ServerOptions.Target) -> Finding {
    if target.address.isLoopback { return Finding(result: .ok, check: "privacy", detail: "nothing leaves this machine") }
    return Finding(
      result: .warning, check: "privacy", detail: "the connection is not encrypted",
      advice: "Use it on a private network or through a tunnel only: the token can be read on the way.")
  }

  private static func credentials(_ info: GetServerInfoResponse, _ target: ServerOptions.Target) -> Finding {
    let who = "known as \(info.principal)" + (info.isAdmin ? ", may manage spaces and tokens" : "")
    guard let source = target.tokenSource else {
      return Finding(
        result: .warning, check: "token", detail: "\(who) without a token",
        advice: "The server runs with the development switch: never let others reach it.")
    }
    return Finding(result: .ok, check: "token", detail: "\(who), by the token from \(source)")
  }

  private static func clock(_ info: GetServerInfoResponse, roundTrip: Duration) -> Finding {
    let mine = ClientTiming.system.now().rawValue - Int64(roundTrip / .microseconds(2))
    let skew = Double(mine - info.serverTime.rawValue) / 1_000_000
    let text =
      skew.magnitude < 1
      ? "less than a second apart" : "\(TimeSpan.text(skew.magnitude)) \(skew > 0 ? "ahead of" : "behind") the server"
    if skew.magnitude < 30 { return Finding(result: .ok, check: "clock", detail: text) }
    return Finding(
      result: .warning, check: "clock", detail: text,
      advice: "Set the clock of this machine by NTP. Versions do not depend on it; times of edits do.")
  }

  private static func versions(_ info: GetServerInfoResponse) -> Finding {
    let uptime = TimeSpan.text(Double(info.uptimeMicroseconds) / 1_000_000)
    return Finding(
      result: .ok, check: "versions",
      detail: "server \(info.version), up for \(uptime), node \(info.node); tidemark \(ToolVersion.text)")
  }

  /// What an administrator is told of the server's connections to its database.
  private static func database(_ connections: StoreConnections) -> Finding {
    let open = UInt64(connections.idle) + UInt64(connections.inUse)
    let most = UInt64(connections.sizeMax) + UInt64(connections.overflowMax)
    let waited = connections.waits == 0 ? "" : " \(TimeSpan.text(Double(connections.waitedMicroseconds) / 1_000_000)) together"
    let detail =
      "\(open) connections of at most \(most), \(connections.inUse) in use, \(connections.waiting) waited for; "
      + "since the start: \(connections.leases) leases, \(connections.waits) waited\(waited), \(connections.timeouts) in vain; "
      + "\(connections.opened) opened, \(connections.openFailures) attempts failed, \(connections.checksFailed) checks failed; "
      + "closed: \(connections.closedRecycled) too old, \(connections.closedBroken) lost, \(connections.closedOverflow) above the size"
    if connections.timeouts == 0 { return Finding(result: .ok, check: "database", detail: detail) }
    return Finding(
      result: .warning, check: "database", detail: detail,
      advice: "Calls found no connection in time. Raise --postgres-pool-size of the server, or find out what is slow there.")
  }

  private static func refusal(_ check: String, _ error: ClientError, _ target: ServerOptions.Target) -> Finding {
    let failure = CommandFailure(error, to: target.address, tokenSource: target.tokenSource)
    return Finding(result: .failed, check: check, detail: failure.message, advice: failure.advice.joined(separator: "\n"))
  }
}
