internal import Foundation
internal import TidemarkPostgres
internal import TidemarkSQLite

/// A database with plain tables, as other programs have them.
public enum PlainDatabase: CaseIterable, Sendable {
  case sqlite, postgres

  /// Those there are on this machine.
  public static var available: [PlainDatabase] { PostgresServer.shared == nil ? [.sqlite] : allCases }

  /// Makes an empty database.
  ///
  /// - Parameter folder: for its file.
  public func make(in folder: String) throws -> Place {
    switch self {
    case .sqlite:
      let place = Place(kind: self, url: "sqlite:\(folder)/plain-\(UUID().uuidString).db")
      try place.execute("PRAGMA journal_mode = WAL")
      return place
    case .postgres:
      guard let server = PostgresServer.shared else { throw CocoaError(.featureUnsupported) }
      return Place(kind: self, url: try server.makeSchema())
    }
  }

  /// Where a database is.
  public struct Place: Sendable {
    public let kind: PlainDatabase
    /// As `tidemark adopt` takes it.
    public let url: String

    public init(kind: PlainDatabase, url: String) {
      self.kind = kind
      self.url = url
    }

    private var path: String { String(url.dropFirst("sqlite:".count)) }

    /// Runs statements on a connection of their own.
    public func execute(_ statements: String) throws {
      switch kind {
      case .sqlite: try Connection(path: path, mode: .readWriteCreate, busyTimeoutMS: 30_000).execute(statements)
      case .postgres: try PostgresServer.execute(url, statements)
      }
    }

    /// The rows of a query, each as its texts joined by blanks.
    public func texts(_ query: String) throws -> [String] {
      guard kind == .sqlite else { return try PostgresServer.texts(url, query) }
      let statement = try Connection(path: path, mode: .readOnly).prepare(query)
      var rows: [String] = []
      while try statement.step() { rows.append((0..<8).compactMap { statement.text(at: $0) }.joined(separator: " ")) }
      return rows
    }
  }
}
