import TidemarkCore
import Yams

/// Schemas as people write them, in YAML.
///
/// ```yaml
/// types:
///   asset:
///     summary: A file of a project          # optional, as all that follows but `fields`
///     owner_only: true                      # only who created an entity may change it
///     other_fields: true                    # fields that are not described are allowed
///     conflict: manual                      # or server_wins, client_wins
///     delete: manual                        # or delete_wins, update_wins
///     history: 90d                          # past versions stay so long; s, m, h or d
///     tombstones: 90d                       # deletion markers stay so long
///     fields:
///       title: string!                      # `!`: required
///       tags: string[]                      # `[]`: a list
///       project: string! -> project cascade # the id of a project; restrict (which need not be said), cascade or set_null
///       seats:
///         type: int!
///         summary: How many people fit
///         default: 1
///         min: 1                            # and max
///         merge: counter                    # or register, set, max, min, text, last_writer
///       kind:
///         type: string
///         enum: [image, sound]
///         length_min: 1                     # and length_max
///         conflict: server_wins             # instead of what the type says
///     unique:
///       content: [md5, kind]
///     indexes:
///       by_project: [project]
/// ```
///
/// The types of fields are any, bool, int, double, string, bytes, timestamp and json, and lists of all but any and json. Values stand as
/// the field's type asks for: bytes in base64, a timestamp as `2025-01-31T09:30:00Z`, a json value as its text. Text that looks like
/// something else needs quotes only where any value is allowed.
enum SchemaText {
  /// Reads a schema. Whether it has `problems()` is another question.
  static func read(_ text: String) throws(SchemaTextError) -> Schema {
    let node: Node?
    do { node = try Yams.compose(yaml: text) } catch { throw SchemaTextError(error) }
    guard let node else { throw SchemaTextError(line: nil, path: "", message: "there is no schema; it starts with 'types:'") }
    let root = try SchemaPart(root: node).members(known: ["types"])
    guard let types = root["types"] else {
      throw SchemaTextError(line: 1, path: "", message: "there are no types; a schema starts with 'types:'")
    }
    return Schema(
      types: try types.entries().map { (entry) throws(SchemaTextError) in
        guard let name = TypeName(entry.name) else {
          throw entry.part.fail("'\(entry.name)' is no type name: letters, digits and _, 63 at most, no digit first")
        }
        return try TypeSchema(name, entry.part)
      })
  }

  /// Writes a schema in one form, so that equal schemas give equal text. A schema without problems reads back as it was.
  static func write(_ schema: Schema) -> String {
    var writer = SchemaWriter()
    writer.write(schema)
    return writer.text
  }
}

/// Why a text is no schema, and where.
struct SchemaTextError: Error, Hashable, CustomStringConvertible {
  /// From 1; `nil` when the fault has no place.
  var line: Int?
  /// The keys that lead to the fault, joined by dots; empty for the whole document.
  var path: String
  var message: String

  var description: String {
    let place = [line.map { "line \($0)" }, path.isEmpty ? nil : path].compactMap { $0 }.joined(separator: ", ")
    return place.isEmpty ? message : "\(place): \(message)"
  }
}

extension SchemaTextError {
  fileprivate init(_ error: any Error) {
    switch error as? YamlError {
    case .scanner(_, let problem, let mark, _)?, .parser(_, let problem, let mark, _)?, .composer(_, let problem, let mark, _)?:
      self.init(line: mark.line, path: "", message: "this is not YAML: \(problem)")
    case .duplicatedKeysInMapping(let keys, let context)?:
      let names = keys.map { "'\($0)'" }.joined(separator: ", ")
      self.init(line: context.mark.line, path: "", message: "a mapping has a key twice: \(names)")
    default: self.init(line: nil, path: "", message: "this is not YAML")
    }
  }
}
