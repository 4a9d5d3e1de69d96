package demo

import (
	"context"
	"net/url"
)

// member is a member as the server shows one.
type member struct {
	ID          string `json:"id"`
	PhoneMasked string `json:"phone_masked"`
	Memberships []struct {
		Brand string `json:"brand"`
		Cards []struct {
			Program    string `json:"program"`
			ExternalID string `json:"external_id"`
		} `json:"cards"`
	} `json:"memberships"`
}

// unified is a member who has both cards of a brand: two customers of two systems who turned out to be one.
type unified struct{ id, phone, brand, online, inStore string }

// shown is how many unified members are named on the screen; the file has them all.
const shown = 10

// readMembers counts the members and finds those who have both cards of a brand.
func (d *demo) readMembers(ctx context.Context) error {
	members, dual := map[string]bool{}, map[string]bool{}
	var found []unified
	for _, brand := range d.business.Brands {
		err := pages(ctx, d.client, "/v1/members", url.Values{"brand": {brand}}, func(items []member) error {
			for _, m := range items {
				members[m.ID] = true
				for _, s := range m.Memberships {
					cards := map[string]string{}
					for _, c := range s.Cards {
						cards[c.Program] = c.ExternalID
					}
					if _, both := cards["online"]; both && len(cards) == 2 && s.Brand == brand {
						dual[m.ID] = true
						found = append(found, unified{m.ID, m.PhoneMasked, brand, cards["online"], cards["store"]})
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	d.summary.Members, d.summary.DualCardMembers = len(members), len(dual)
	d.say("unified  %d members, %d of them with both cards of a brand (all in %s), such as", len(members), len(dual), d.summary.Run.UnifiedFile)
	for _, u := range found[:min(shown, len(found))] {
		d.say("           %s  %-8s %s + %s", u.phone, u.brand, u.online, u.inStore)
	}
	rows := make([][]string, len(found))
	for i, u := range found {
		rows[i] = []string{u.id, u.phone, u.brand, u.online, u.inStore}
	}
	return writeCSV(d.summary.Run.UnifiedFile, []string{"member", "phone", "brand", "online", "store"}, rows)
}
