import CTidemarkProtobufC
import CTidemarkWire
import Foundation
import Testing
import TidemarkCore

@testable import TidemarkWire

/// The .proto files and this module say the same.
@Suite struct ProtoFileTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Proto")

  private func texts() throws -> [String: String] {
    var texts: [String: String] = [:]
    let folder = ProtoFileTests.root.appendingPathComponent("tidemark/v1")
    for url in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    where url.pathExtension == "proto" {
      texts[url.lastPathComponent] = try String(contentsOf: url, encoding: .utf8)
    }
    #expect(texts.count > 10)
    return texts
  }

  @Test func methodNumbersAreThoseOfTheServiceFiles() throws {
    var found: [UInt16: (path: String, isStreaming: Bool)] = [:]
    for (file, text) in try texts() where file.hasSuffix("_service.proto") {
      let service = try #require(text.firstMatch(of: /service (\w+) \{/)?.1)
      for match in text.matches(
        of: /rpc (\w+)\(\w+\) returns \((stream )?\w+\) \{\s*option \(tidemark\.v1\.method_number\) = (\d+);/)
      {
        let number = try #require(UInt16(match.3))
        #expect(found.updateValue(("/tidemark.v1.\(service)/\(match.1)", match.2 != nil), forKey: number) == nil)
      }
      #expect(text.matches(of: /\brpc \w+\(/).count == text.matches(of: /method_number\) =/).count)
    }
    #expect(found.count == Method.allCases.count)
    for method in Method.allCases {
      #expect(found[method.rawValue]?.path == method.path)
      #expect(found[method.rawValue]?.isStreaming == method.isServerStreaming)
      #expect(Method(path: method.path) == method)
    }
  }

  @Test func noMessageContainsItself() throws {
    var contains: [String: Set<String>] = [:]
    for (_, text) in try texts() {
      for message in text.matches(of: /(?m)^message (\w+) \{(.*?)^\}|^message (\w+) \{\}/.dotMatchesNewlines()) {
        let name = String(message.1 ?? message.3 ?? "")
        let body = message.2.map { $0.replacing(/\/\/[^\n]*/, with: "") } ?? ""
        #expect(!body.contains("map<"), "\(name) has a map: teach this test")
        contains[name] = Set(body.matches(of: /(?m)^\s*(?:repeated )?([A-Z]\w+) \w+ = \d+;/).map { String($0.1) })
      }
    }
    #expect(contains["Outcome"]?.contains("Conflict") == true)
    #expect(contains["Entity"]?.contains("Field") == true)
    func walk(_ name: String, _ path: [String]) {
      #expect(!path.contains(name), "\(path.joined(separator: " > ")) > \(name)")
      guard !path.contains(name) else { return }
      for next in contains[name] ?? [] { walk(next, path + [name]) }
    }
    for name in contains.keys { walk(name, []) }
  }

  @Test func generatedMessagesNestLessDeepThanTheLimit() {
    func depth(_ descriptor: UnsafePointer<ProtobufCMessageDescriptor>, _ level: Int) -> Int {
      guard level <= WireLimits.messageDepthMax else { return level }
      var deepest = level
      for index in 0..<Int(descriptor.pointee.n_fields) {
        let field = descriptor.pointee.fields[index]
        guard field.type == PROTOBUF_C_TYPE_MESSAGE, let inner = field.descriptor else { continue }
        deepest = max(deepest, depth(inner.assumingMemoryBound(to: ProtobufCMessageDescriptor.self), level + 1))
      }
      return deepest
    }
    #expect(depth(MessageKind(tidemark__v1__update_response__init).descriptor, 1) <= 8)
    #expect(depth(MessageKind(tidemark__v1__update_request__init).descriptor, 1) <= 8)
    #expect(depth(MessageKind(tidemark__v1__batch_get_response__init).descriptor, 1) <= 8)
    #expect(depth(MessageKind(tidemark__v1__schema__init).descriptor, 1) <= 8)
  }

  @Test func outcomeCodesAreThoseOfTheFile() throws {
    let text = try #require(try texts()["outcome.proto"])
    var numbers: Set<String> = []
    for match in text.matches(of: /OUTCOME_CODE_(\w+) = (\d+);/) where match.2 != "0" { numbers.insert(String(match.2)) }
    #expect(numbers.count == 15)
  }

  @Test func enumsOfTheSchemaAreThoseOfTheFile() throws {
    let text = try #require(try texts()["schema.proto"])
    func numbers(_ prefix: String) throws -> [String: UInt8] {
      let pattern = try Regex("\\b\(prefix)_(\\w+) = (\\d+);", as: (Substring, Substring, Substring).self)
      var found: [String: UInt8] = [:]
      for match in text.matches(of: pattern) where match.2 != "0" {
        found[match.1.replacing("_", with: "").lowercased()] = UInt8(match.2)
      }
      return found
    }
    func words<Word: CaseIterable & RawRepresentable>(_: Word.Type) -> [String: UInt8] where Word.RawValue == UInt8 {
      Dictionary(
        uniqueKeysWithValues: Word.allCases.map { (String(reflecting: $0).lowercased(), $0.rawValue) }.map { word, number in
          (String(word.split(separator: ".").last ?? ""), number)
        })
    }
    #expect(try numbers("MERGE_KIND") == words(MergeKind.self))
    #expect(try numbers("DELETE_RULE") == words(DeleteRule.self))
    #expect(try numbers("CONFLICT_POLICY") == words(ConflictPolicy.self))
    #expect(try numbers("DELETE_POLICY") == words(DeletePolicy.self))
    let types = Dictionary(uniqueKeysWithValues: ValueType.allCases.map { ($0.description, $0.rawValue) })
    #expect(Dictionary(uniqueKeysWithValues: try numbers("VALUE_TYPE").map { ($0.replacing("list", with: "[]"), $1) }) == types)
  }
}
