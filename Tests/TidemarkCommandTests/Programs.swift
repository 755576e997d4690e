import Foundation
import Testing
import TidemarkTesting

/// What a program printed, and how it ended.
struct Finished {
  var status: Int32
  var output: String
  /// The same as it came, when it is no text.
  var outputBytes: [UInt8]
  var error: String
}

/// A real daemon on a fresh store, and the real command line against it.
final class Programs {
  let folder: URL
  let port: Int
  private let daemon: DaemonProcess

  /// Starts the daemon and waits until it is ready.
  ///
  /// - Parameter store: the URL of the store; `nil` for one in the folder.
  init(store: String? = nil) async throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("tidemark-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    daemon = try DaemonProcess(store: store ?? "sqlite:\(folder.path)/store")
    port = daemon.port
  }

  deinit {
    daemon.kill()
    try? FileManager.default.removeItem(at: folder)
  }

  var url: String { "tidemark://127.0.0.1:\(port)/default" }

  /// Ends the daemon.
  func stopDaemon() { _ = daemon.terminate() }

  /// The path of a file with this text in the test's folder.
  func file(_ name: String, _ text: String = "") throws -> String {
    let path = folder.appendingPathComponent(name)
    if !text.isEmpty { try Data(text.utf8).write(to: path) }
    return path.path
  }

  /// The path of a file with these bytes in the test's folder.
  func file(_ name: String, bytes: [UInt8]) throws -> String {
    let path = folder.appendingPathComponent(name)
    try Data(bytes).write(to: path)
    return path.path
  }

  func text(of name: String) throws -> String { try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8) }

  /// Runs `tidemark` with the daemon's address in the environment and no terminal.
  func run(_ arguments: String..., environment: [String: String] = [:], input: String = "") throws -> Finished {
    try runProcess(arguments, environment: environment, input: input)
  }

  /// The same, with the arguments as a list.
  func run(_ arguments: [String], input: String = "") throws -> Finished {
    try runProcess(arguments, environment: [:], input: input)
  }

  /// Starts `tidemark` and leaves it running, with pipes to it.
  func start(_ arguments: String...) throws -> (process: Process, input: Pipe, error: Pipe) {
    let process = Process()
    process.executableURL = BuiltProducts.url("tidemark")
    process.arguments = arguments
    process.environment = ["TIDEMARK_URL": url, "HOME": folder.path]
    let (input, error) = (Pipe(), Pipe())
    process.standardInput = input
    process.standardError = error
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    return (process, input, error)
  }

  private func runProcess(_ arguments: [String], environment: [String: String], input: String) throws -> Finished {
    let process = Process()
    process.executableURL = BuiltProducts.url("tidemark")
    process.arguments = arguments
    var variables = ["TIDEMARK_URL": url, "HOME": folder.path, "PWD": folder.path]
    variables.merge(environment) { $1 }
    process.environment = variables.filter { !$0.value.isEmpty }
    // Files, so that no pipe can fill up while nobody reads it.
    let names = ["in", "out", "err"].map { folder.appendingPathComponent("\($0)-\(UUID().uuidString)") }
    for name in names {
      _ = FileManager.default.createFile(atPath: name.path, contents: name == names[0] ? Data(input.utf8) : Data())
    }
    process.standardInput = try FileHandle(forReadingFrom: names[0])
    process.standardOutput = try FileHandle(forWritingTo: names[1])
    process.standardError = try FileHandle(forWritingTo: names[2])
    try process.run()
    process.waitUntilExit()
    let output = try Data(contentsOf: names[1])
    return Finished(
      status: process.terminationStatus, output: String(decoding: output, as: UTF8.self), outputBytes: Array(output),
      error: String(decoding: try Data(contentsOf: names[2]), as: UTF8.self))
  }
}
