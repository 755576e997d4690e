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
    #expect(word(remembered.verdict(for: "Bearer \(text.text)", authenticator, now: { 0 })) == "front desk")
    authenticator.remove(id: record.id)
    #expect(word(remembered.verdict(for: "Bearer \(text.text)", authenticator, now: { 0 })) == "refused")
  }

  @Test func developerNeedsNoCredentialsButBadOnesAreStillRefused() throws {
    let authenticator = Authenticator(tokens: [], isDevelopment: true)
    #expect(authenticator.principal(for: "")?.isAdminEverywhere == true)
    #expect(authenticator.principal(for: "Bearer nonsense") == nil)
  }

  @Test func onAStoreOfSeveralNodesTokensAreTrustedForAWhileAfterAPollAndUnknownOnesWaitForOne() throws {
    let (text, record) = try token(1)
    let (other, another) = try token(2)
    let authenticator = Authenticator(tokens: [record], isDevelopment: true, isAlone: false)
    var (good, unknown) = (RememberedCredentials(), RememberedCredentials())
    func judge(_ remembered: inout RememberedCredentials, _ text: TokenText, at now: UInt64, since: UInt64? = nil) -> String {
      word(remembered.verdict(for: "Bearer \(text.text)", authenticator, now: { now }, since: since))
    }
    // Nothing was looked at yet.
    #expect(judge(&good, text, at: 10) == "ask")
    #expect(authenticator.take([record], at: authenticator.moment(), began: 20))
    #expect(judge(&good, text, at: 30, since: 10) == "front desk")
    #expect(judge(&good, text, at: 19 + Authenticator.trustMax) == "front desk")
    #expect(judge(&good, text, at: 20 + Authenticator.trustMax) == "ask")
    // Nobody calls: polls rest, and what is known counts for a shorter time.
    authenticator.rest(confirmed: 20)
    #expect(judge(&good, text, at: 20 + Authenticator.restingTrustMax) == "ask")
    // One that is not known waits for a poll that began after it came.
    #expect(judge(&unknown, other, at: 40) == "ask")
    #expect(authenticator.take(nil, at: authenticator.moment(), began: 39))
    #expect(judge(&unknown, other, at: 41, since: 40) == "ask")
    #expect(authenticator.take(nil, at: authenticator.moment(), began: 42))
    #expect(judge(&unknown, other, at: 43, since: 40) == "refused")
    // It is not asked for again.
    #expect(judge(&unknown, other, at: 44) == "refused")
    #expect(authenticator.take([record, another], at: authenticator.moment(), began: 50))
    var third = RememberedCredentials()
    #expect(judge(&third, other, at: 51) == "front desk")
    // Revoked elsewhere.
    #expect(authenticator.take([another], at: authenticator.moment(), began: 60))
    #expect(judge(&good, text, at: 61) == "ask")
    #expect(authenticator.take(nil, at: authenticator.moment(), began: 62))
    #expect(judge(&good, text, at: 63, since: 61) == "refused")
    // A developer without a token waits for nobody, and no nonsense is asked for.
    var plain = RememberedCredentials()
    #expect(word(plain.verdict(for: "", authenticator, now: { .max })) == "developer")
    #expect(word(plain.verdict(for: "Bearer nonsense", authenticator, now: { .max })) == "refused")
  }

  @Test func aPollThatBeganBeforeAChangeOfThisNodeDoesNotTakeItBack() throws {
    let (text, record) = try token(1)
    let (_, added) = try token(2)
    let authenticator = Authenticator(tokens: [record], isDevelopment: false, isAlone: false)
    let moment = authenticator.moment()
    authenticator.remove(id: record.id)
    authenticator.add(added)
    #expect(!authenticator.take([record], at: moment, began: 10))
    #expect(authenticator.principal(for: "Bearer \(text.text)") == nil)
    #expect(authenticator.standing.confirmed == 0)
    #expect(authenticator.take([added], at: authenticator.moment(), began: 20))
    #expect(authenticator.hasTokens)
  }

  private func word(_ verdict: RememberedCredentials.Verdict) -> String {
    switch verdict {
    case .principal(let principal): principal.name.text
    case .refused: "refused"
    case .ask: "ask"
    }
  }

  @Test func highestRoleApplies() throws {
    let space = try #require(SpaceName("hotel"))
    let principal = Principal(name: try #require(PrincipalName("p")), roleEverywhere: .reader, roles: [space: .writer])
    #expect(principal.role(in: space) == .writer)
    #expect(principal.role(in: .default) == .reader)
    #expect(Principal(name: principal.name, roleEverywhere: .admin, roles: [space: .reader]).role(in: space) == .admin)
  }
}
