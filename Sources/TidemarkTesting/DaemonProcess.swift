public import Foundation

/// A real `tidemarkd` in a process of its own, on loopback.
///
/// `@unchecked Sendable`: all is made once, before the value is shared; signals may be sent from any thread.
public final class DaemonProcess: @unchecked Sendable {
  /// The port it listens on.
  public let port: Int
  private let process: Process
  private let output: LogCollector

  /// Starts the daemon that was built beside the running test, and returns when it is ready.
  ///
  /// - Parameters:
  ///   - folder: the folder of the store.
  ///   - port: 0 for any free one.
  ///   - arguments: further settings.
  public convenience init(folder: String, port: Int = 0, isDevelopment: Bool = true, arguments: [String] = []) throws {
    try self.init(store: "sqlite:\(folder)", port: port, isDevelopment: isDevelopment, arguments: arguments)
  }

  /// Starts the daemon on any store, and returns when it is ready.
  ///
  /// - Parameters:
  ///   - store: the URL of the store.
  ///   - environment: variables besides those of this process.
  public init(
    store: String, port: Int = 0, isDevelopment: Bool = true, arguments: [String] = [], environment: [String: String] = [:]
  ) throws {
    process = Process()
    process.executableURL = BuiltProducts.url("tidemarkd")
    process.arguments =
      ["serve", "--store", store, "--listen", "127.0.0.1:\(port)", "--development", "\(isDevelopment)"] + arguments
    process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("TIDEMARKD_") }
      .merging(environment) { $1 }
    let pipe = Pipe()
    process.standardError = pipe
    process.standardOutput = FileHandle.nullDevice
    output = LogCollector(pipe.fileHandleForReading)
    try process.run()
    guard let found = output.waitForPort() else {
      process.waitUntilExit()
      throw DaemonFailure("tidemarkd did not start: \(output.text)")
    }
    self.port = found
  }

  deinit {
    if process.isRunning {
      Foundation.kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
    }
  }

  /// Everything it wrote to standard error so far.
  public var log: String { output.text }

  /// Waits until everything that an ended process wrote to standard error is in `log`.
  public func waitForLog() { output.waitForEnd() }

  public var processID: Int32 { process.processIdentifier }

  /// Ends the process without giving it any chance, and waits until it is gone.
  public func kill() {
    Foundation.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// Asks the process to stop, and returns its exit status.
  public func terminate(_ signal: Int32 = SIGTERM) -> Int32 {
    Foundation.kill(process.processIdentifier, signal)
    process.waitUntilExit()
    return process.terminationStatus
  }

  /// Whether the process that was started is still there.
  public var isRunning: Bool { process.isRunning }

  /// Sends a signal and does not wait.
  public func signal(_ number: Int32) { Foundation.kill(process.processIdentifier, number) }

  /// Waits until the process ends by itself, and returns its exit status.
  public func waitForExit() -> Int32 {
    process.waitUntilExit()
    return process.terminationStatus
  }

  /// The memory it has in RAM, in MiB; 0 when it is gone.
  public var residentMiB: Int { memory("VmRSS:") }

  /// The most memory it ever had in RAM, in MiB.
  public var residentPeakMiB: Int { memory("VmHWM:") }

  private func memory(_ key: String) -> Int {
    let status = (try? String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix(key) } ?? ""
    let kib = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }
    return (kib ?? 0) / 1024
  }
}

/// Says why a daemon could not be started.
public struct DaemonFailure: Error, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}

/// The programs that were built together with the running test.
public enum BuiltProducts {
  /// The program of this name.
  public static func url(_ name: String) -> URL {
    let me = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    return URL(fileURLWithPath: me).deletingLastPathComponent().appendingPathComponent(name)
  }
}

/// Reads a daemon's log on a thread of its own until it ends.
///
/// `@unchecked Sendable`: `lock` protects `collected`.
private final class LogCollector: @unchecked Sendable {
  private let lock = NSLock()
  private var collected = Data()
  private let ports = Waiting<Int?>()
  private let end = Waiting<Bool>()

  init(_ handle: FileHandle) {
    let thread = Thread { [self] in
      var isReady = false
      while true {
        let chunk = handle.availableData
        guard !chunk.isEmpty else { break }
        lock.withLock { collected.append(chunk) }
        guard !isReady, let port = LogCollector.readyPort(text) else { continue }
        isReady = true
        ports.put(port)
      }
      if !isReady { ports.put(nil) }
      end.put(true)
    }
    thread.start()
  }

  var text: String { lock.withLock { String(decoding: collected, as: UTF8.self) } }

  func waitForPort() -> Int? { ports.take() }

  /// May be called again and again.
  func waitForEnd() { end.put(end.take()) }

  /// The port in the line that says the daemon is ready.
  private static func readyPort(_ text: String) -> Int? {
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() where line.contains(" ready") {
      guard let range = line.range(of: "port=") else { continue }
      return Int(line[range.upperBound...].prefix { $0.isNumber })
    }
    return nil
  }
}
