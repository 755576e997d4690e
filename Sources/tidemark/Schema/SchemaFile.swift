import ArgumentParser
import TidemarkCore
import TidemarkWire

/// The forms a schema has in a file.
enum SchemaFormat: String, CaseIterable, ExpressibleByArgument {
  /// As people write it: see `SchemaText`.
  case yaml
  /// The message `tidemark.v1.Schema`, binary.
  case protobuf

  /// The format that was asked for, or the one that the name of the file says: protobuf for `.pb` and `.binpb`, YAML otherwise.
  static func chosen(_ format: SchemaFormat?, for file: String) -> SchemaFormat {
    if let format { return format }
    let name = file.lowercased()
    return name.hasSuffix(".pb") || name.hasSuffix(".binpb") ? .protobuf : .yaml
  }
}

/// Schemas in files and on standard input and output.
enum SchemaFile {
  private static let mark = "# version "

  /// A schema in YAML. The first line says what it was made from.
  static func text(_ found: SchemaVersion, _ space: SpaceName) -> String {
    "\(mark)\(found.version) of '\(space)', by \(found.applied.by) at \(TimeText.format(found.applied.at))\n"
      + SchemaText.write(found.schema)
  }

  /// Reads a schema, and the version it was made from when its first line says so; `-` is standard input.
  ///
  /// - Throws: `CommandFailure` when there is none or it is none.
  static func read(_ path: String, _ format: SchemaFormat?) throws(CommandFailure) -> (schema: Schema, version: UInt64?) {
    do {
      switch SchemaFormat.chosen(format, for: path) {
      case .yaml:
        let text = try TextFile.read(path).text
        var version: UInt64?
        if text.hasPrefix(mark) { version = UInt64(text.dropFirst(mark.count).prefix { $0.isNumber }) }
        return (try SchemaText.read(text), version)
      case .protobuf:
        let schema = try Schema.decode(try TextFile.readBytes(path).bytes)
        // Zero bytes are a message, too: a file that was cut off, or never written, must not take all types away.
        guard !schema.types.isEmpty else {
          throw unreadable(path, "it has no types. In YAML, a schema without any is 'types: {}'")
        }
        return (schema, nil)
      }
    } catch let failure as CommandFailure {
      throw failure
    } catch let error as TextFile.Failure {
      throw CommandFailure(.failed, "\(error.what).")
    } catch let error as WireError {
      throw unreadable(path, error.message)
    } catch {
      throw unreadable(path, "\(error)")
    }
  }

  private static func unreadable(_ path: String, _ what: String) -> CommandFailure {
    let end = what.hasSuffix("?") || what.hasSuffix(".") ? "" : "."
    let name = path == "-" ? "What standard input holds" : "'\(path)'"
    return CommandFailure(.failed, "\(name) is no schema: \(what)\(end)", code: "unreadable")
  }
}
