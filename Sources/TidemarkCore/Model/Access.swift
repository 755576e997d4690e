/// What a principal may do in a space. Each role includes the ones before it. The numbers are those of `tidemark.v1.Role`.
public enum Role: UInt8, Comparable, Sendable, CaseIterable {
  case reader = 1
  case writer = 2
  case admin = 3

  public static func < (a: Role, b: Role) -> Bool { a.rawValue < b.rawValue }
}

/// Who calls, and what they may do. Every call has one.
public struct Principal: Hashable, Sendable {
  public var name: PrincipalName
  /// The role in every space; `nil` for none.
  public var roleEverywhere: Role?
  /// Roles in single spaces.
  public var roles: [SpaceName: Role]

  public init(name: PrincipalName, roleEverywhere: Role? = nil, roles: [SpaceName: Role] = [:]) {
    self.name = name
    self.roleEverywhere = roleEverywhere
    self.roles = roles
  }

  /// The role in a space, the highest that applies; `nil` for none.
  public func role(in space: SpaceName) -> Role? {
    guard let here = roles[space] else { return roleEverywhere }
    return roleEverywhere.map { max($0, here) } ?? here
  }

  /// True when the principal has at least this role in the space.
  public func can(_ role: Role, in space: SpaceName) -> Bool { self.role(in: space).map { $0 >= role } ?? false }

  /// True when the principal may manage spaces and tokens.
  public var isAdminEverywhere: Bool { roleEverywhere == .admin }
}
