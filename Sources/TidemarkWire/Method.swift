/// The methods of Tidemark, numbered as the `method_number` options of the service files say. A test compares both.
public enum Method: UInt16, Sendable, CaseIterable {
  case create = 1
  case get = 2
  case batchGet = 3
  case update = 4
  case replace = 5
  case delete = 6
  case restore = 7
  case getOrCreate = 8
  case list = 9
  case bulkWrite = 10
  case getOutcomes = 11
  case undoWrites = 12
  case createSpace = 20
  case listSpaces = 21
  case deleteSpace = 22
  case getSpace = 23
  case verifySpace = 24
  case createToken = 30
  case listTokens = 31
  case revokeToken = 32
  case echo = 40
  case getServerInfo = 41
  case pull = 50
  case exchange = 51
  case watch = 52
  case applySchema = 60
  case getSchema = 61
  case rollbackSchema = 62

  /// The full name: `/package.Service/Method`.
  public var path: String {
    switch self {
    case .create: "/tidemark.v1.EntityService/Create"
    case .get: "/tidemark.v1.EntityService/Get"
    case .batchGet: "/tidemark.v1.EntityService/BatchGet"
    case .update: "/tidemark.v1.EntityService/Update"
    case .replace: "/tidemark.v1.EntityService/Replace"
    case .delete: "/tidemark.v1.EntityService/Delete"
    case .restore: "/tidemark.v1.EntityService/Restore"
    case .getOrCreate: "/tidemark.v1.EntityService/GetOrCreate"
    case .list: "/tidemark.v1.EntityService/List"
    case .bulkWrite: "/tidemark.v1.EntityService/BulkWrite"
    case .getOutcomes: "/tidemark.v1.EntityService/GetOutcomes"
    case .undoWrites: "/tidemark.v1.EntityService/UndoWrites"
    case .createSpace: "/tidemark.v1.SpaceService/CreateSpace"
    case .listSpaces: "/tidemark.v1.SpaceService/ListSpaces"
    case .deleteSpace: "/tidemark.v1.SpaceService/DeleteSpace"
    case .getSpace: "/tidemark.v1.SpaceService/GetSpace"
    case .verifySpace: "/tidemark.v1.SpaceService/VerifySpace"
    case .createToken: "/tidemark.v1.TokenService/CreateToken"
    case .listTokens: "/tidemark.v1.TokenService/ListTokens"
    case .revokeToken: "/tidemark.v1.TokenService/RevokeToken"
    case .echo: "/tidemark.v1.DiagnosticsService/Echo"
    case .getServerInfo: "/tidemark.v1.DiagnosticsService/GetServerInfo"
    case .pull: "/tidemark.v1.FeedService/Pull"
    case .exchange: "/tidemark.v1.FeedService/Exchange"
    case .watch: "/tidemark.v1.FeedService/Watch"
    case .applySchema: "/tidemark.v1.SchemaService/ApplySchema"
    case .getSchema: "/tidemark.v1.SchemaService/GetSchema"
    case .rollbackSchema: "/tidemark.v1.SchemaService/RollbackSchema"
    }
  }

  private static let byPath = Dictionary(uniqueKeysWithValues: allCases.map { ($0.path, $0) })

  /// The method of a full name; `nil` when there is none.
  public init?(path: String) {
    guard let method = Method.byPath[path] else { return nil }
    self = method
  }

  /// True when the server answers with a stream of messages.
  public var isServerStreaming: Bool {
    switch self {
    case .list, .verifySpace, .watch: true
    default: false
    }
  }
}
