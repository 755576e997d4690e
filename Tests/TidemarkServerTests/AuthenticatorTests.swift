import Testing
import TidemarkCore
import TidemarkStore
import TidemarkTesting

@testable import TidemarkServer

@Suite struct AuthenticatorTests {
  private func token(_ seed: UInt64) throws -> (text: TokenText, record: TokenRecord) {
    var random = SeededGenerator(seed: seed)
    let text = TokenText(using: &random)
    let record = TokenRecord(
      id: text.id, secretHash: text.secretHash, principal: try #require(PrincipalName("front desk")), roleEverywhere: .writer,
      roles: [:], createdAt: Timestamp(rawValue: 0))
    return (text, record)
  }

  @Test func goodTokenIsItsPrincipalAndAnythingElseIsNobody() throws {
    let (text, record) = try token(1)
    let (other, _) = try token(2)
    let authenticator = Authenticator(tokens: [record], isDevelopment: false)
    #expect(authenticator.principal(for: "Bearer \(text.text)")?.name.text == "front desk")
    #expect(authenticator.principal(for: "bearer \(text.text)") != nil)
    let bad = [
      "", "Bearer", "Bearer ", text.text, "Basic \(text.text)", "Bearer \(other.text)", "Bearer tmk_\(text.id)_",
      "Bearer tmk_\(text.id)_\(String(repeating: "0", count: 64))", "Bearer \(text.text)0", "Bearer \(text.text) ",
    ]
    for authorization in bad { #expect(authenticator.principal(for: authorization) == nil, "\(authorization)") }
  }

  @Test func revokedTokenIsForgottenByConnectionsThatRememberIt() throws {
    let (text, record) = try token(1)
    let authenticator = Authenticator(tokens: [record], isDevelopment: false)
    var remembered = RememberedCredentials()
    #expect(remembered.principal(for: "Bearer \(text.text)", authenticator) != nil)
    authenticator.remove(id: record.id)
    #expect(remembered.principal(for: "Bearer \(text.text)", authenticator) == nil)
  }

  @Test func developerNeedsNoCredentialsButBadOnesAreStillRefused() throws {
    let authenticator = Authenticator(tokens: [], isDevelopment: true)
    #expect(authenticator.principal(for: "")?.isAdminEverywhere == true)
    #expect(authenticator.principal(for: "Bearer nonsense") == nil)
  }

  @Test func highestRoleApplies() throws {
    let space = try #require(SpaceName("hotel"))
    let principal = Principal(name: try #require(PrincipalName("p")), roleEverywhere: .reader, roles: [space: .writer])
    #expect(principal.role(in: space) == .writer)
    #expect(principal.role(in: .default) == .reader)
    #expect(Principal(name: principal.name, roleEverywhere: .admin, roles: [space: .reader]).role(in: space) == .admin)
  }
}
