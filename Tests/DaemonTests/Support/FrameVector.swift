import Foundation
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

  /// False when the vector needs a method that only the server of the transport's tests has: one that takes a client stream.
  func usesOnlyWhatTheDaemonHas() throws -> Bool {
    !Frame.all(in: Array(client.dropFirst(8))).contains { $0.type == FrameType.call.rawValue && [2, 9, 50].contains($0.aux) }
  }

  private static func bytes(_ hex: Substring) -> [UInt8] {
    let digits = Array(hex.filter { !$0.isWhitespace })
    return stride(from: 0, to: digits.count - 1, by: 2).compactMap { UInt8(String(digits[$0...($0 + 1)]), radix: 16) }
  }
}
