import Foundation
import Yams

/// Reads settings from a YAML file: one mapping of keys to plain values.
enum ConfigurationFile {
  /// - Throws: `ConfigurationError` when the file cannot be read, is no mapping, or has a key that is no setting.
  static func read(_ path: String) throws -> [String: String] {
    let text: String
    do { text = try String(contentsOfFile: path, encoding: .utf8) } catch {
      throw ConfigurationError("cannot read the configuration file \(path)")
    }
    return try parse(text, path: path)
  }

  static func parse(_ text: String, path: String) throws -> [String: String] {
    let node: Node?
    do { node = try Yams.compose(yaml: text) } catch {
      throw ConfigurationError("\(path) is not YAML: \(error)")
    }
    guard let node else { return [:] }
    guard case .mapping(let mapping) = node else {
      throw ConfigurationError("\(path) must be a mapping, with lines such as 'log_level: debug'")
    }
    var values: [String: String] = [:]
    for (keyNode, valueNode) in mapping {
      guard let key = keyNode.string, Setting.all.contains(where: { $0.key == key }) else {
        throw ConfigurationError("\(path) has the key '\(keyNode.string ?? "?")', which is no setting; see tidemarkd --help")
      }
      guard case .scalar(let scalar) = valueNode else { throw ConfigurationError("\(path): \(key) must have one plain value") }
      guard values[key] == nil else { throw ConfigurationError("\(path) has the key '\(key)' twice") }
      values[key] = scalar.string
    }
    return values
  }
}
