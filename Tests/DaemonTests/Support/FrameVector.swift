import Foundation
import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkWire

/// One file of `Tests/Fixtures/frames`: what a client sends, and what the server of the transport's tests answers.
struct FrameVector {
  var name: String
  var client: [UInt8] = []
  var server: [UInt8] = []
  var end = ""

  static func all(prefix: String) throws -> [FrameVector] {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let folder = tests.appendingPathComponent("Fixtures/frames")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    return try names.filter { $0.hasPrefix(prefix) && $0.hasSuffix(".hex") }.sorted().map { name in
      var vector = FrameVector(name: name)
      for line in try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8).split(separator: "\n") {
        let rest = line.dropFirst()
        switch line.first {
        case ">": vector.client += bytes(rest)
        case "<": vector.server += bytes(rest)
        case "=": vector.end = rest.trimmingCharacters(in: .whitespaces)
        default: break
        }
      }
      return vector
    }
  }

  /// The client's bytes, with methods of the daemon.
  ///
  /// Some vectors need a call in flight whose client may still send DATA; the server of the transport's tests has method 50 for
  /// that. Here it is a List that is not half-closed, to a client whose HELLO gives each stream one byte of credit.
  func clientForDaemon() throws -> [UInt8] {
    var frames = Frame.all(in: Array(client.dropFirst(8)))
    let isCall: (Frame) -> Bool = { $0.type == FrameType.call.rawValue && $0.aux == 50 }
    guard frames.contains(where: isCall) else { return client }
    let request = try ListRequest(space: .default, type: try #require(TypeName("booking"))).encode(using: MessageArena())
    var hello = Hello()
    hello.streamCreditBytes = 1
    for index in frames.indices {
      if frames[index].type == FrameType.hello.rawValue { frames[index].payload = hello.encode() }
      guard isCall(frames[index]) else { continue }
      frames[index].aux = TidemarkWire.Method.list.rawValue
      frames[index].payload = request
    }
    return Array(client.prefix(8)) + frames.bytes
  }

  private static func bytes(_ hex: Substring) -> [UInt8] {
    let digits = Array(hex.filter { !$0.isWhitespace })
    return stride(from: 0, to: digits.count - 1, by: 2).compactMap { UInt8(String(digits[$0...($0 + 1)]), radix: 16) }
  }
}
