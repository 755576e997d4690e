import ArgumentParser
import Foundation
import Logging
import NIOCore
import NIOPosix
import TidemarkCore
import TidemarkServer
import TidemarkStore
import TidemarkTransport
import TidemarkWire

/// Serves until it is told to stop.
struct Serve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Serve (the default).")

  @OptionGroup var settings: SettingOptions

  func run() async throws {
    let configuration = try settings.resolve()
    let logger = Logs.start(configuration)
    do { try await Daemon(configuration: configuration, logger: logger).run() } catch let exit as ExitCode { throw exit } catch {
      let failure = StartFailure(error, configuration)
      // A log of JSON lines stays one.
      guard configuration.logFormat == .json else { throw failure }
      logger.critical("cannot serve", metadata: ["error": "\(failure.what)", "advice": "\(failure.advice)"])
      throw ExitCode(1)
    }
  }
}

/// One run of the daemon, from opening the store to the end of the drain.
struct Daemon {
  let configuration: Configuration
  let logger: Logger

  func run() async throws {
    let (stops, stop) = AsyncStream.makeStream(of: StopReason.self)
    let signals = SignalWatch { stop.yield(.signal($0)) }
    defer { signals.cancel() }
    let service = try makeService { stop.yield(.storeFailed) }
    let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.threads)
    let listener = try await TidemarkListener.start(
      host: configuration.host, port: configuration.port, group: group, limits: configuration.limits, hello: hello(),
      logger: logger,
      makeHandler: { service.makeHandler(on: $0) })
    try writePortFile(listener.port)
    // Last of all that can fail: a token shown by a start that fails would be lost.
    try announceAccess(service)
    logger.notice(
      "ready", metadata: ["host": "\(configuration.host)", "port": "\(listener.port)", "store": "\(configuration.store)"])
    StartPages.release()
    var reason = StopReason.storeFailed
    for await first in stops {
      reason = first
      break
    }
    logger.notice("stopping", metadata: ["reason": "\(reason)"])
    let closedEarly = await listener.drain(timeout: .milliseconds(configuration.drainTimeoutMilliseconds))
    service.close()
    try? await group.shutdownGracefully()
    stop.finish()
    // What was finished while draining may have failed, too.
    for await later in stops { if case .storeFailed = later { reason = later } }
    logger.notice("stopped", metadata: ["connections_closed_early": "\(closedEarly)"])
    if case .storeFailed = reason { throw ExitCode(1) }
  }

  private func makeService(onFatal: @escaping @Sendable () -> Void) throws -> TidemarkService {
    var options = TidemarkService.Options()
    options.isDevelopment = configuration.isDevelopment
    options.readerThreads = configuration.readerThreads
    options.entityCacheBytesMax = configuration.entityCacheBytesMax
    options.nodeName = configuration.node
    let store = try Engine.open(configuration, logger)
    return try TidemarkService(
      store: store, options: options, clock: .system, random: BufferedRandom(), logger: logger,
      onFatal: { _ in onFatal() })
  }

  /// Says who may call. The first start of a store without tokens makes one for an administrator and shows it once.
  private func announceAccess(_ service: TidemarkService) throws {
    if configuration.isDevelopment {
      logger.warning("development: calls without a token are taken and may do everything")
      return
    }
    guard let admin = PrincipalName("admin"),
      let token = try service.createFirstToken(principal: admin, roleEverywhere: .admin)
    else { return }
    FileHandle.standardError.write(
      Data("\nThis store had no token. Here is one for an administrator; it is shown only now:\n\n  \(token)\n\n".utf8))
  }

  private func hello() -> Hello {
    var hello = Hello()
    hello.name = "tidemarkd/\(TidemarkService.version)"
    hello.bulkItemsMax = UInt32(clamping: Limits.itemsPerRequestMax)
    hello.receiptRetentionSeconds = 90 * 24 * 3_600
    return hello
  }

  /// Writes the port so that whoever reads the file sees all of it or nothing.
  private func writePortFile(_ port: Int) throws {
    guard let path = configuration.portFile else { return }
    do { try Data("\(port)\n".utf8).write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
      logger.critical("cannot write the port file", metadata: ["path": "\(path)"])
      throw ExitCode(1)
    }
  }

  private enum StopReason: CustomStringConvertible {
    case signal(Int32)
    case storeFailed

    var description: String {
      switch self {
      case .signal(let number): number == SIGINT ? "SIGINT" : "SIGTERM"
      case .storeFailed: "the store failed"
      }
    }
  }
}

/// Hears SIGTERM and SIGINT in place of dying from them. A second one ends the process at once.
///
/// `@unchecked Sendable`: the sources are made once and only cancelled afterwards.
final class SignalWatch: @unchecked Sendable {
  private var sources: [any DispatchSourceSignal] = []

  init(_ onSignal: @escaping @Sendable (Int32) -> Void) {
    signal(SIGPIPE, SIG_IGN)
    sources = [SIGTERM, SIGINT].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        onSignal(number)
        signal(number, SIG_DFL)
      }
      source.resume()
      return source
    }
  }

  func cancel() { for source in sources { source.cancel() } }
}
