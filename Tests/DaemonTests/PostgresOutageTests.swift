import Foundation
import Synchronization
import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

extension DaemonTests {
  /// A database that goes away while many write and read.
  @Suite(.enabled(if: PostgresServer.shared != nil, Comment(rawValue: PostgresServer.absence))) struct PostgresOutageTests {
    enum Blow: CaseIterable { case crash, stop, endedConnections }

    @Test(arguments: Blow.allCases) func whatWasAcknowledgedIsThereAndNothingTwice(_ blow: Blow) throws {
      let server = try #require(PostgresServer.make())
      let daemon = try DaemonProcess(store: server.url(schema: "public"), arguments: ["--reader-threads", "4"])
      let load = OutageLoad(port: daemon.port, writers: 6, readers: 3)
      for _ in 0..<2 {
        load.waitForMore(acknowledged: 100, read: 100)
        switch blow {
        case .crash, .stop:
          server.stop(blow == .crash ? .immediate : .fast)
          load.waitForMore(refusedWrites: 10, refusedReads: 10)
          server.start()
        case .endedConnections: for _ in 0..<5 { try server.terminateBackends() }
        }
      }
      load.waitForMore(acknowledged: 100, read: 100)
      let versions = load.end()
      #expect(load.complaints == [])
      #expect(daemon.isRunning)
      let client = try FramedConnection(port: daemon.port)
      let maker = try WriteMaker(seed: 0)
      for (number, version) in versions.enumerated() {
        #expect(try client.entity(maker.key("w\(number)"), in: .default).version.rawValue == version)
      }
      #expect(try client.verify(.default).faults.isEmpty)
      let info: GetServerInfoResponse = try client.get(.getServerInfo, GetServerInfoRequest())
      let connections = try #require(info.connections)
      #expect(connections.closedBroken > 0 && connections.timeouts == 0)
      #expect(blow == .endedConnections || connections.openFailures > 0)
    }
  }
}

/// Threads that write and read until they are told to end, and keep account of the answers.
///
/// `@unchecked Sendable`: `condition` is the lock of `state`.
private final class OutageLoad: @unchecked Sendable {
  private struct State {
    var acknowledged = 0
    var read = 0
    var refusedWrites = 0
    var refusedReads = 0
    var complaints: [String] = []
    var versions: [UInt64]
    var running: Int
    var isEnding = false
  }

  private let port: Int
  private let condition = NSCondition()
  private var state: State

  init(port: Int, writers: Int, readers: Int) {
    self.port = port
    state = State(versions: Array(repeating: 0, count: writers), running: writers + readers)
    for number in 0..<writers { begin { try self.write(number) } }
    for number in 0..<readers { begin { try self.read(number % writers) } }
  }

  /// What was not as it must be.
  var complaints: [String] { condition.withLock { state.complaints } }

  /// Waits until there are so many more of each.
  func waitForMore(acknowledged: Int = 0, read: Int = 0, refusedWrites: Int = 0, refusedReads: Int = 0) {
    condition.withLock {
      let start = state
      while state.complaints.isEmpty,
        state.acknowledged < start.acknowledged + acknowledged || state.read < start.read + read
          || state.refusedWrites < start.refusedWrites + refusedWrites || state.refusedReads < start.refusedReads + refusedReads
      {
        condition.wait()
      }
    }
  }

  /// Ends the threads once each has an answer to what it sent, and returns the versions that were acknowledged.
  func end() -> [UInt64] {
    condition.withLock {
      state.isEnding = true
      while state.running > 0 { condition.wait() }
      return state.versions
    }
  }

  private func change(_ body: (inout State) -> Void) {
    condition.withLock {
      body(&state)
      condition.broadcast()
    }
  }

  private func begin(_ body: @escaping @Sendable () throws -> Void) {
    Thread { [self] in
      do { try body() } catch { change { $0.complaints.append("\(error)") } }
      change { $0.running -= 1 }
    }.start()
  }

  private var isEnding: Bool { condition.withLock { state.isEnding } }

  /// Changes one entity again and again; a write that was refused is sent again as it was.
  private func write(_ number: Int) throws {
    let client = try FramedConnection(port: port)
    var maker = try WriteMaker(seed: UInt64(number) + 1)
    var version: UInt64 = 0
    while !isEnding {
      let fields = [("n", Value.int(Int64(version)))]
      let item = try version == 0 ? maker.create("w\(number)", fields) : maker.update("w\(number)", fields, expected: version)
      while true {
        let reply = try client.reply(to: client.start(item, in: .default))
        if let status = reply.status, reply.code == .unavailable {
          let isTold = status.details.contains { detail in
            ["NOT_EXECUTED", "OUTCOME_UNKNOWN"].contains { String(decoding: detail.value, as: UTF8.self).contains($0) }
          }
          if !isTold || !hasRetryHint(status) { change { $0.complaints.append("a refused write is told \(status)") } }
          change { $0.refusedWrites += 1 }
          continue
        }
        let outcome = try client.outcome(of: reply)
        version += 1
        let isRight = outcome.code == .applied && outcome.version?.rawValue == version
        change { state in
          if !isRight {
            state.complaints.append("version \(version) of w\(number): \(outcome.code) \(outcome.version?.rawValue ?? 0)")
          }
          state.versions[number] = version
          state.acknowledged += 1
        }
        break
      }
    }
  }

  /// Reads an entity again and again: never less than was acknowledged before.
  private func read(_ number: Int) throws {
    let client = try FramedConnection(port: port)
    let key = try WriteMaker(seed: 1).key("w\(number)")
    while !isEnding {
      let least = condition.withLock { state.versions[number] }
      let reply = try client.call(.get, GetRequest(space: .default, key: key))
      if let status = reply.status {
        if reply.code == .notFound, least == 0 { continue }
        if reply.code != .unavailable || !hasRetryHint(status) {
          change { $0.complaints.append("a refused read is told \(status)") }
        }
        change { $0.refusedReads += 1 }
        continue
      }
      let response: GetResponse = try client.decode(reply)
      change { state in
        if response.entity.version.rawValue < least { state.complaints.append("w\(number) was read older than \(least)") }
        state.read += 1
      }
    }
  }

  private func hasRetryHint(_ status: RPCStatus) -> Bool { status.details.contains { $0.typeURL.contains("RetryInfo") } }
}
