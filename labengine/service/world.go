package service

import (
	"net"
	"net/netip"

	"vethlab/labengine"
)

// StartWorld begins all that the hosts of an internet offer: HTTP at each address, DNS at those of the resolvers.
func StartWorld(in In) (*Server, error) {
	s := newServer("the internet")
	s.names = map[netip.Addr]string{}
	var names []labengine.NameAddress
	var resolvers []string
	for _, list := range [][]labengine.PublicHost{labengine.PublicHosts, labengine.PublicRouters} {
		for _, h := range list {
			for _, a := range h.Addresses {
				names = append(names, labengine.NameAddress{Name: h.Name, Address: a})
				if s.names[a] == "" {
					s.names[a] = h.Name
				}
				if h.Resolver {
					resolvers = append(resolvers, net.JoinHostPort(a.String(), "53"))
				}
			}
		}
	}
	zone := newZone(names)
	err := s.listenTCP(in, dual(80), s.serveHTTP)
	if err == nil {
		err = s.listenTCP(in, resolvers, s.acceptor(zone.serveTCP))
	}
	if err == nil {
		err = s.listenUDP(in, resolvers, maxQuery, zone.answerUDP)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}
