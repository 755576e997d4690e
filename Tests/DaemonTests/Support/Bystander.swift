import Foundation
import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

/// A well-behaved client on a thread of its own: reads, writes and echoes one after the other while something else goes on.
///
/// `@unchecked Sendable`: `lock` protects what both threads use; the connection belongs to the thread once it runs.
final class Bystander: @unchecked Sendable {
  /// What it saw.
  struct Report {
    var calls = 0
    var failures: [String] = []
    var median = Duration.zero
  }

  private let connection: FramedConnection
  private let done = Waiting<Report>()
  private let lock = NSLock()
  private var isStopping = false
  private var maker: WriteMaker
  private let space: SpaceName
  private let id: String
  private var version: UInt64 = 1

  init(port: Int, space: SpaceName = .default, seed: UInt64 = 1) throws {
    connection = try FramedConnection(port: port)
    maker = try WriteMaker(seed: seed)
    id = "bystander-\(UInt64.random(in: 0...UInt64.max))"
    self.space = space
    #expect(try connection.write(maker.create(id, [("n", .int(0))]), in: space).code == .applied)
  }

  /// Makes calls on this thread.
  func run(calls: Int) -> Report {
    var remaining = calls
    return loop {
      remaining -= 1
      return remaining >= 0
    }
  }

  /// Begins to make calls, until `stop`.
  func start() {
    Thread { [self] in done.put(loop { lock.withLock { !isStopping } }) }.start()
  }

  /// Ends the calls, but not before a number of them.
  func stop() -> Report {
    lock.withLock { isStopping = true }
    return done.take()
  }

  private func loop(_ goesOn: () -> Bool) -> Report {
    var report = Report()
    var times: [Duration] = []
    while goesOn() || report.calls < 60 {
      let begin = ContinuousClock.now
      do { try call(report.calls) } catch {
        report.failures.append("\(error)")
        break
      }
      times.append(ContinuousClock.now - begin)
      report.calls += 1
    }
    report.median = times.sorted().dropFirst(times.count / 2).first ?? .zero
    return report
  }

  private func call(_ number: Int) throws {
    switch number % 3 {
    case 0:
      let outcome = try connection.write(maker.update(id, [("n", .int(Int64(version)))], expected: version), in: space)
      guard outcome.code == .applied, let now = outcome.version else { throw DaemonTestFailure("\(outcome)") }
      version = now.rawValue
    case 1:
      let entity = try connection.entity(maker.key(id), in: space)
      guard entity.version.rawValue == version else {
        throw DaemonTestFailure("version \(entity.version) in place of \(version)")
      }
    default:
      let _: GetServerInfoResponse = try connection.get(.getServerInfo, GetServerInfoRequest())
    }
  }
}

/// Says what a client saw that it should not have seen.
struct DaemonTestFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Expects that a daemon served a well-behaved client all the while, lives, and stayed small.
func expectUnharmed(
  _ daemon: DaemonProcess, _ during: Bystander.Report, before: Bystander.Report, sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(during.failures.isEmpty, "\(daemon.log.suffix(2_000))", sourceLocation: sourceLocation)
  // Two cores are shared by the attacker, this client and the daemon: below the floor a ratio says nothing.
  let limit = max(before.median * 3, .milliseconds(25))
  #expect(during.median <= limit, "before \(before.median), during \(during.median)", sourceLocation: sourceLocation)
  #expect(daemon.isRunning, "\(daemon.log.suffix(2_000))", sourceLocation: sourceLocation)
  #expect(daemon.residentPeakMiB <= 256, sourceLocation: sourceLocation)
  #expect(daemon.residentPeakMiB > 0, sourceLocation: sourceLocation)
}
