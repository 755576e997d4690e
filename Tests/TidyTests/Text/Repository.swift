import Foundation

/// The files of this repository, as they are on disk.
enum Repository {
  /// The folder of Package.swift.
  static let root: URL = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
    .deletingLastPathComponent()

  private static let skippedFolders: Set<String> = [
    ".build", ".git", ".swiftpm", ".tools", ".venv", "Fixtures", "__pycache__", "demo-data", "generated", "node_modules",
  ]
  private static let kinds: Set<String> = [
    "c", "cc", "css", "h", "html", "js", "json", "md", "modulemap", "proto", "py", "sh", "sql", "swift", "toml", "txt", "yaml",
    "yml",
  ]
  /// A file larger than this is data.
  private static let textBytesMax = 400_000

  /// All text files, keyed by their path from the root. Generated files, fixtures and data are not among them.
  static let files: [String: String] = {
    var files: [String: String] = [:]
    var folders = [""]
    while let folder = folders.popLast() {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path)) ?? []
      for name in names {
        let path = folder.isEmpty ? name : "\(folder)/\(name)"
        // A link shows a file that is read at its own place.
        if (try? FileManager.default.destinationOfSymbolicLink(atPath: root.appending(path: path).path)) != nil { continue }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: root.appending(path: path).path, isDirectory: &isFolder) else { continue }
        if isFolder.boolValue {
          if !skippedFolders.contains(name), !name.hasPrefix(".build") { folders.append(path) }
        } else if isText(path), !path.contains(".pb-c."), let data = try? Data(contentsOf: root.appending(path: path)),
          data.count <= textBytesMax
        {
          files[path] = String(decoding: data, as: UTF8.self)
        }
      }
    }
    return files
  }()

  /// Whether there is a file or folder at a path from the root.
  static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: root.appending(path: path).standardizedFileURL.path)
  }

  private static func isText(_ path: String) -> Bool {
    if path == "Makefile" || path.hasPrefix("scripts/") || path.hasPrefix(".ci/") { return true }
    guard let dot = path.lastIndex(of: ".") else { return false }
    return kinds.contains(String(path[path.index(after: dot)...]))
  }

  /// Applies a rule to the files that are chosen, in the order of their paths.
  static func findings(_ rule: Rule, in isChosen: (String) -> Bool) -> [Finding] {
    files.keys.filter(isChosen).sorted().flatMap { rule($0, files[$0] ?? "") }
  }
}
